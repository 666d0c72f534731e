import { describe, expect, test } from 'vitest';
import { peoplesoft } from '../../connectors/peoplesoft/connector.ts';
import { Denied, Misconfigured } from '../../src/base/errors.ts';
import type { Shut } from '../../src/connector/target.ts';
import { item, openSite, restOperations, shapes, withConfirm } from '../support/peoplesoft.ts';

/** Whose trouble it is: an item's own, or everybody's. What the queue does with an item meanwhile, the target never hears. */

const people = (count: number) => Array.from({ length: count }, (_, i) => item('account.create', `95000000${10 + i}`));

describe('turned away in place of an answer', () => {
  test('who was turned away in earlier deliveries, and left the queue, holds up nobody', async () => {
    const site = await openSite();
    const settings = site.settings({ concurrency: 1 });
    const all = people(8);
    site.stub.setFaults([{ path: '/95000000(1[0-3])', status: 403, body: 'blocked' }]);
    // each of these leaves the queue by what the target never hears of: given up, acked, superseded
    for (const gone of all.slice(0, 3)) {
      const [turned] = await (await site.open(settings)).deliver([gone]);
      expect(turned).toMatchObject({ outcome: 'retry' });
    }
    for (const _ of [1, 2]) {
      const results = await (await site.open(settings)).deliver(all.slice(3));
      expect(results.map(({ outcome }) => outcome)).toEqual(['retry', ...Array(4).fill('sent')]);
      expect(results[0]).not.toHaveProperty('attempted');
    }
  });

  test('three who are turned away among others are tried again; a fourth at once ends the delivery', async () => {
    const site = await openSite();
    const settings = site.settings({ concurrency: 1 });
    const all = people(9);
    const alternate = (count: number) => all.slice(0, count).map((_, n) => (n % 2 ? 'retry' : 'sent'));
    site.stub.setFaults([{ path: '/95000000(11|13|15|17)', status: 404 }]);
    for (const _ of [1, 2]) {
      const results = await (await site.open(settings)).deliver(all.slice(0, 7));
      expect(results.map(({ outcome }) => outcome)).toEqual(alternate(7));
      for (const result of results) expect(result).not.toHaveProperty('attempted');
    }
    // an operation that is not there must not fail everybody who needs it, whatever else is answered between
    const session = await site.open(settings);
    const { results, cause } = (await session.deliver(all).catch((error: unknown) => error)) as Shut;
    expect(cause).toBeInstanceOf(Misconfigured);
    expect(results.map(({ outcome }) => outcome)).toEqual([...alternate(8), 'retry']);
    expect(results.slice(7)).toMatchObject(Array(2).fill({ attempted: false }));
  });
});

describe('a 500 that says nothing', () => {
  test('to one item is its own, however many had this trouble before the last answer', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ silentAnswers: 2 }));
    site.stub.setFaults([{ path: '/950000000[1-5]', status: 500 }]);
    const [last, ...all] = [5, 1, 2, 3, 4].map((n) => item('account.create', `950000000${n}`));
    // acked from outside, or superseded: the target hears of neither
    await session.deliver(all);
    expect(await session.deliver([item('account.create', '9500000009')])).toMatchObject([{ outcome: 'sent' }]);
    expect(await session.deliver([last!])).toMatchObject([{ outcome: 'retry' }]);
    expect(await session.deliver([last!])).toMatchObject([{ outcome: 'failed' }]);
  });

  test('to one item is its own, however many had trouble and are found to be there', async () => {
    const site = await openSite();
    const operations = withConfirm(restOperations);
    const session = await site.open(site.settings({ operations, silentAnswers: 2 }));
    const all = [1, 2, 3, 4].map((n) => item('account.create', `950000000${n}`));
    for (const one of all) {
      site.stub.setFaults([{ method: 'POST', kind: 'reset', when: 'after', count: 1 }]);
      expect(await session.deliver([one])).toMatchObject([{ outcome: 'retry' }]);
    }
    expect(await session.deliver(all)).toMatchObject(Array(4).fill({ outcome: 'sent' }));
    site.stub.setFaults([{ method: 'POST', status: 500 }]);
    const last = [item('account.create', '9500000005')];
    expect(await session.deliver(last)).toMatchObject([{ outcome: 'retry' }]);
    expect(await session.deliver(last)).toMatchObject([{ outcome: 'failed' }]);
  });
});

describe('a 404 that a site calls success', () => {
  const success = { status: [200, 404] };
  const removals = (count: number) =>
    people(count).map(({ account }) => item('account.disable', account!.account, { status: 'disabled' }));
  const missing = `<?xml version="1.0"?><IBResponse type="error"><StatusCode>20</StatusCode><MessageSet>158</MessageSet>
<MessageID>10721</MessageID><DefaultMessage>operation not found</DefaultMessage></IBResponse>`;

  test.each([
    ['the gateway has no such operation', missing],
    ['it is a page', '<html><h1>404 Not Found</h1></html>'],
  ])('is none where %s: nothing counts as sent, whatever the change', async (_what, body) => {
    const site = await openSite();
    site.stub.setFaults([{ status: 404, body }]);
    for (const items of [people(30), removals(30)]) {
      const session = await site.open(site.settings({ success }));
      await expect(session.deliver(items)).rejects.toBeInstanceOf(Misconfigured);
    }
  });

  test('is none where the gateway is another', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ success, gateway: '/IB' }));
    await expect(session.deliver([...people(15), ...removals(15)])).rejects.toBeInstanceOf(Misconfigured);
    await expect(peoplesoft.probe(site.settings({ success, gateway: '/IB' }), site.context)).rejects.toThrow(/404/);
  });

  test('says of a removal that nobody is there any more', async () => {
    const site = await openSite();
    site.stub.setFaults([{ path: '/9500000011', status: 404 }]);
    const session = await site.open(site.settings({ success, concurrency: 1 }));
    expect(await session.deliver(people(3))).toMatchObject([{ outcome: 'sent' }, { outcome: 'retry' }, {}]);
    expect(await session.deliver([...removals(2), item('enrolment.remove', '9500000011')])).toMatchObject(
      Array(3).fill({ outcome: 'sent' }),
    );
  });
});

describe('a password that is refused is tried once in a delivery', () => {
  test.each(Object.keys(shapes).filter((name) => !name.startsWith('rowset-')))('by %s', async (name) => {
    const site = await openSite();
    await site.mode({ oprids: { ROSTERD: 'other' } });
    const session = await site.open(site.settings({ operations: shapes[name]!, concurrency: 8 }));
    await expect(session.deliver(people(20))).rejects.toBeInstanceOf(Denied);
    expect(site.state().requests).toBe(1);
    // the same delivery does not come back with it
    await expect(session.deliver(people(20))).rejects.toBeInstanceOf(Denied);
    expect(site.state().requests).toBe(1);
  });

  test('where a look comes first', async () => {
    const site = await openSite();
    await site.mode({ oprids: { ROSTERD: 'other' } });
    const session = await site.open(site.settings({ operations: withConfirm(restOperations), concurrency: 8 }));
    await expect(session.deliver(people(20))).rejects.toBeInstanceOf(Denied);
    expect(site.state().requests).toBe(1);
  });

  test('and once it was good, no more follow than were under way', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ operations: shapes['iscript']!, concurrency: 4 }));
    expect(await session.deliver(people(1))).toMatchObject([{ outcome: 'sent' }]);
    await site.mode({ oprids: { ROSTERD: 'other' } });
    const before = site.state().requests;
    const all = people(20).flatMap((one) => [one, item('enrolment.add', one.account!.account)]);
    await expect(session.deliver(all)).rejects.toBeInstanceOf(Denied);
    expect(site.state().requests - before).toBeLessThanOrEqual(4);
  });

  test('but a probe that is not permitted stops nobody who is let in', async () => {
    const site = await openSite();
    site.stub.setFaults([
      { method: 'GET', status: 401 },
      { path: '/9500000011', status: 500 },
    ]);
    const session = await site.open(site.settings({ silentAnswers: 1, concurrency: 1 }));
    expect((await session.deliver(people(3))).map(({ outcome }) => outcome)).toEqual(['sent', 'failed', 'sent']);
  });

  test('also by a page that nobody knows: beside it only the probe asks', async () => {
    const site = await openSite();
    await site.mode({ oprids: { ROSTERD: 'other' } });
    const body = '<html>Das Kennwort ist falsch</html>';
    site.stub.setFaults([{ method: 'POST', headers: { 'content-type': 'text/html' }, body, status: 200 }]);
    const settings = { operations: shapes['iscript']!, concurrency: 8 };
    await expect((await site.open(site.settings(settings))).deliver(people(20))).rejects.toBeInstanceOf(Denied);
    expect(site.stub.requests().map(({ method }) => method)).toEqual(['POST', 'GET']);
    const known = site.settings({ ...settings, success: { denied: 'Kennwort ist falsch' } });
    await expect((await site.open(known)).deliver(people(20))).rejects.toBeInstanceOf(Denied);
    expect(site.stub.requests()).toHaveLength(3);
  });
});
