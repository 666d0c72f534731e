import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { peoplesoft } from '../../connectors/peoplesoft/connector.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { confirmOf, item, openSite, restOperations, type Site, shapes, withConfirm } from '../support/peoplesoft.ts';

/** A clock that goes on when it is told to. */
function handClock(): Clock & { time: number } {
  const clock = { ...systemClock, time: 0, monotonic: () => clock.time };
  return clock;
}
const writes = ({ stub }: Site) => stub.requests().filter(({ method }) => method !== 'GET').length;

describe('an asynchronous operation that is read back', () => {
  /** A creation that is confirmed within ten minutes, at a site that processes nothing yet; `deliver`: in a session of its own. */
  async function waitingSite(confirm: { lookFirst?: boolean } = {}) {
    const clock = handClock();
    const site = await openSite(clock);
    await site.mode({ async: true, processAfter: null });
    const settings = site.settings({ operations: withConfirm(restOperations, { within: '10m', ...confirm }) });
    const created = [item('account.create', '9500000001')];
    return { clock, site, deliver: async () => (await site.open(settings)).deliver(created) };
  }

  test.each(['rest', 'rowset', 'rowset-http'])('counts as sent when the state is there, by %s', async (name) => {
    const site = await openSite();
    await site.mode({ async: true, processAfter: 3 });
    const operations = withConfirm(name === 'rest' ? restOperations : shapes[name]!, { every: '7s' });
    const session = await site.open(site.settings({ operations }));
    const items = [item('account.create', '9500000001'), item('enrolment.add', '9500000001')];
    // one look before it is sent, one after
    expect(await session.deliver(items)).toMatchObject([
      {
        outcome: 'retry',
        delayMs: 7_000,
        attempted: false,
        answer: expect.stringMatching(
          /^transmitted, not confirmed yet \(HTTP 20[02] \(transaction .*\)\): the read-back does not show it$/,
        ),
      },
      { outcome: 'retry', answer: 'not sent: waits for an earlier change of this person' },
    ]);
    expect(await session.deliver(items)).toMatchObject([{ outcome: 'retry' }, { outcome: 'retry' }]);
    const [created, added] = await session.deliver(items);
    expect(created).toMatchObject({
      outcome: 'sent',
      answer: expect.stringMatching(/^HTTP 20[02] \(transaction .*\); confirmed: the read-back shows it$/),
    });
    expect(added).toMatchObject({ outcome: 'retry' });
    expect(writes(site)).toBe(2);
    await session.deliver([items[1]!]);
    expect(await session.deliver([items[1]!])).toMatchObject([{ outcome: 'sent' }]);
    // transmitted once, however often it was tried
    expect(writes(site)).toBe(2);
    expect(site.state()).toMatchObject({ persons: { length: 1 }, enrolments: [{ status: 'enrolled' }], pending: 0 });
  });

  test('that is never processed fails after the time that the site gives it, in another session too', async () => {
    const clock = handClock();
    const site = await openSite(clock);
    await site.mode({ async: true, processAfter: null });
    const settings = site.settings({ operations: withConfirm(restOperations, { within: '10m' }) });
    const items = [item('account.create', '9500000001'), item('enrolment.add', '9500000001')];
    expect(await (await site.open(settings)).deliver(items)).toMatchObject([
      { outcome: 'retry' },
      { outcome: 'retry' },
    ]);
    clock.time = 600_000;
    const [result] = await (await site.open(settings)).deliver([items[0]!]);
    expect(result).toMatchObject({
      outcome: 'failed',
      answer: expect.stringMatching(
        /^transmitted, but not confirmed after 600 s \(HTTP 202 \(transaction .*\)\): .* look for the transaction in the Service Operations Monitor$/,
      ),
    });
    expect(writes(site)).toBe(1);
  });

  test.each([true, false])('is sent again when it is replayed long after (lookFirst: %s)', async (lookFirst) => {
    const { clock, site, deliver } = await waitingSite({ lookFirst });
    await deliver();
    // acked from outside meanwhile, or given up: the target hears of neither
    clock.time += 3_600_000;
    const [again] = await deliver();
    expect(again).toMatchObject({ outcome: 'retry', answer: expect.stringMatching(/^transmitted, not confirmed yet/) });
    expect(writes(site)).toBe(2);
    clock.time += 599_000;
    expect(await deliver()).toMatchObject([{ outcome: 'retry' }]);
    await site.mode({ processAfter: 0 });
    expect(await deliver()).toMatchObject([{ outcome: 'sent', answer: expect.stringContaining('; confirmed: ') }]);
    expect(writes(site)).toBe(2);
  });

  test('is not sent again when it is there at last', async () => {
    const { clock, site, deliver } = await waitingSite({ lookFirst: false });
    await deliver();
    await site.mode({ processAfter: 0 });
    clock.time += 3_600_000;
    expect(await deliver()).toMatchObject([
      { outcome: 'sent', answer: expect.stringMatching(/^HTTP 202 .*; confirmed: the read-back shows it$/) },
    ]);
    expect(writes(site)).toBe(1);
  });

  test('is sent once more at most where deliveries are further apart than it has time', async () => {
    const { clock, site, deliver } = await waitingSite();
    const outcomes: string[] = [];
    for (const _ of [1, 2, 3]) {
      outcomes.push((await deliver())[0]!.outcome);
      clock.time += 86_400_000;
    }
    expect(outcomes).toEqual(['retry', 'retry', 'failed']);
    expect(writes(site)).toBe(2);
  });

  test('whose read-back was away for all of its time is sent again, and does not fail for it', async () => {
    const { clock, site, deliver } = await waitingSite();
    await deliver();
    site.stub.setFaults([{ method: 'GET', reset: true }]);
    for (const _ of [1, 2, 3]) {
      clock.time += 300_000;
      expect(await deliver()).toMatchObject([{ outcome: 'retry' }]);
    }
    expect(writes(site)).toBe(1);
    site.stub.setFaults([]);
    expect(await deliver()).toMatchObject([{ outcome: 'retry' }]);
    expect(writes(site)).toBe(2);
  });

  test('is transmitted again when a later change has become one with it', async () => {
    const site = await openSite();
    await site.mode({ async: true, processAfter: null });
    // as many sites compare it: by the key and the status alone
    const is = { 'A.ACCOUNT': '{account}', 'A.STATUS': '{status}' };
    const operations = withConfirm(restOperations, { is, lookFirst: false });
    const session = await site.open(site.settings({ operations }));
    const created = item('account.create', '9500000001');
    expect(await session.deliver([created])).toMatchObject([{ outcome: 'retry' }]);
    await site.mode({ processAfter: 0 });
    const united = { ...created, account: { ...created.account!, email: 'new@example.edu' } };
    expect(await session.deliver([united])).toMatchObject([{ outcome: 'sent' }]);
    expect(writes(site)).toBe(2);
    expect(site.state().persons).toMatchObject([{ email: 'new@example.edu' }]);
  });

  test('is not transmitted again because the configuration was read anew, unless its operation is another one', async () => {
    const site = await openSite();
    await site.mode({ async: true, processAfter: null });
    const created = [item('account.create', '9500000001')];
    const deliver = async (more: object = {}) => {
      const operations = withConfirm(restOperations, { lookFirst: false });
      const settings = site.settings({ operations: { ...operations, ...more } });
      return (await site.open(settings)).deliver(created);
    };
    await deliver();
    expect(await deliver()).toMatchObject([{ outcome: 'retry', taken: true }]);
    expect(writes(site)).toBe(1);
    const { 'account.create': operation } = withConfirm(restOperations, { within: '1h', lookFirst: false });
    expect(await deliver({ 'account.create': operation })).toMatchObject([{ outcome: 'retry', taken: true }]);
    expect(writes(site)).toBe(2);
  });

  test('is looked for after a restart, and sent again only where it is not to be seen', async () => {
    const site = await openSite();
    await site.mode({ async: true, processAfter: null });
    const operations = withConfirm(restOperations);
    const created = [item('account.create', '9500000001')];
    await (await site.open(site.settings({ operations }))).deliver(created);
    await site.mode({ processAfter: 0 });
    site.context.keep = keeping();
    expect(await (await site.open(site.settings({ operations }))).deliver(created)).toMatchObject([
      { outcome: 'sent', answer: 'nothing was sent, it is so already: the read-back shows it' },
    ]);
    const moved = [item('account.update', '9500000001', { email: 'new@example.edu' })];
    expect(await (await site.open(site.settings({ operations }))).deliver(moved)).toMatchObject([{ outcome: 'sent' }]);
    expect(site.state().persons).toMatchObject([{ email: 'new@example.edu' }]);
    expect(writes(site)).toBe(2);
  });

  test('whose answer was lost is looked for before it is sent again', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ operations: withConfirm(restOperations) }));
    site.stub.setFaults([{ method: 'POST', kind: 'reset', when: 'after', count: 1 }]);
    const created = [item('account.create', '9500000001')];
    await expect(session.deliver(created)).resolves.toMatchObject([{ outcome: 'retry' }]);
    expect(await session.deliver(created)).toMatchObject([{ outcome: 'sent' }]);
    expect(writes(site)).toBe(1);
  });

  test('without a read-back says that only its transmission is known', async () => {
    const site = await openSite();
    await site.mode({ async: true });
    const operations = { 'enrolment.add': { ...restOperations['enrolment.add'], async: true } };
    const settings = site.settings({ operations });
    const [result] = await (await site.open(settings)).deliver([item('enrolment.add', '9500000001')]);
    expect(result).toMatchObject({
      outcome: 'sent',
      answer: expect.stringMatching(/^transmitted, not confirmed: HTTP 202 \(transaction [0-9a-f-]{36}\)$/),
    });
    expect(site.state().monitor).toHaveLength(1);
    expect(await peoplesoft.probe(settings, site.context)).toContain(
      'asynchronous and without confirm, so that only their transmission is known: enrolment.add',
    );
  });

  test.each([
    [
      'a Get of the component interface by REST',
      { shape: 'ci-rest', ci: 'RSTR_PERSON', action: 'G_GET', template: '/{account}' },
      '/Get__CompIntfc__RSTR_PERSONResponse',
    ],
    [
      'a GET of the component interface by SOAP',
      {
        ...{ shape: 'ci-soap', ci: 'RSTR_PERSON', action: 'Get', soapAction: 'CI_RSTR_PERSON_G.v1' },
        ...{
          namespace: 'http://xmlns.oracle.com/Enterprise/Tools/schemas/RSTR_PERSON.V1',
          body: { ACCOUNT: '{account}' },
        },
      },
      '/Envelope/Body/RSTR_PERSON',
    ],
  ])('may be read back by %s', async (_what, read, at) => {
    const site = await openSite();
    await site.mode({ async: true, processAfter: 2 });
    const confirm = { read, at, is: { EMAIL_ADDR: '{email}', STATUS: '{status}' } };
    const operations = { 'account.create': { ...restOperations['account.create'], confirm } };
    const session = await site.open(site.settings({ operations }));
    const created = [item('account.create', '9500000001')];
    expect(await session.deliver(created)).toMatchObject([{ outcome: 'retry' }]);
    expect(await session.deliver(created)).toMatchObject([{ outcome: 'sent' }]);
  });

  test('an answer that is not the one expected confirms nothing, not even that something is gone', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ operations: withConfirm(restOperations, { lookFirst: false }) }));
    await session.deliver([item('account.create', '9500000001'), item('enrolment.add', '9500000001')]);
    const removed = [item('enrolment.remove', '9500000001')];
    for (const body of ['', '{}', '{"data":{"query":{}}}', '{"status":"success","da', '{"errors":["x"]}', 'Sign in']) {
      site.stub.setFaults([{ method: 'GET', kind: 'body', body }]);
      if (body === 'Sign in') await expect(session.deliver(removed)).rejects.toThrow(Denied);
      else expect(await session.deliver(removed), body).toMatchObject([{ outcome: 'retry' }]);
    }
    site.stub.setFaults([]);
    expect(await session.deliver(removed)).toMatchObject([{ outcome: 'sent' }]);
  });
});

test('looking first is refused where it would not see every change', () => {
  const written = { url: 'https://campus.example.edu', auth: { bearer: { env: 'X' } } };
  const confirm = { ...confirmOf('account.update'), is: { 'A.STATUS': '{status}' } };
  const operations = { 'account.update': { ...restOperations['account.update'], confirm } };
  const { error } = peoplesoft.settings.safeParse({ ...written, operations });
  expect(error!.issues).toMatchObject([
    {
      path: ['operations', 'account.update', 'confirm', 'lookFirst'],
      message: expect.stringContaining('is does not compare {email}, {firstName}, {lastName}, {kind}, {year}'),
    },
  ]);
});

test.each([
  ['enrolment.add', { 'A.COURSE_CODE': '{courseCode}' }, false],
  ['enrolment.remove', { 'A.COURSE_CODE': '{courseCode}' }, false],
  ['enrolment.remove', { 'A.COURSE_CODE': '{courseCode}' }, true],
  ['enrolment.remove', { 'A.COURSE_CODE': '{courseCode}', 'A.STATUS': 'dropped' }, false],
  ['account.disable', { 'A.ACCOUNT': '{account}' }, false],
  ['account.disable', { 'A.ACCOUNT': '{account}', 'A.STATUS': 'I' }, false],
  ['account.disable', { 'A.ACCOUNT': '{account}', 'A.STATUS': '{effStatus}' }, false],
])('looking first at what %s turns needs a state in `is`: %j, absent %s', (type, is, absent) => {
  const written = { url: 'https://campus.example.edu', auth: { bearer: { env: 'X' } } };
  // the state is written as it is, and so is in no placeholder
  const body = { KEY: '{account}', STATUS: 'I' };
  const confirm = { ...confirmOf(type), is, absent };
  const operations = { [type]: { method: 'POST', path: '/PSIGW/X', body, confirm } };
  const { error } = peoplesoft.settings.safeParse({ ...written, operations });
  if (absent || 'A.STATUS' in is) expect(error).toBeUndefined();
  else
    expect(error!.issues).toMatchObject([
      {
        path: ['operations', type, 'confirm', 'lookFirst'],
        message: expect.stringContaining(`is compares nothing that ${type} turns`),
      },
    ]);
});

describe('a 500 that says nothing', () => {
  test('is tried again, but not for ever: the item fails once the target is seen to answer others', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ silentAnswers: 3 }));
    site.stub.setFaults([{ path: '/9500000001', status: 500 }]);
    const poor = [item('account.create', '9500000001')];
    for (const _ of [1, 2])
      expect(await session.deliver(poor)).toMatchObject([
        { outcome: 'retry', answer: expect.stringContaining('HTTP 500: without a word, as a production system does') },
      ]);
    expect(await session.deliver(poor)).toMatchObject([
      {
        outcome: 'failed',
        answer: expect.stringMatching(/the same 3 times, while the target answers: look for the transaction in the/),
      },
    ]);
  });

  test('to everybody is the server: nobody fails for it, until others are answered', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ silentAnswers: 2 }));
    site.stub.setFaults([{ method: 'POST', status: 500 }]);
    const all = [1, 2, 3, 4, 5].map((n) => item('account.create', `950000000${n}`));
    for (const _ of [1, 2, 3, 4, 5])
      for (const { outcome } of await session.deliver(all)) expect(outcome).toBe('retry');
    site.stub.setFaults([{ path: '/9500000005', status: 500 }]);
    const outcomes = async () => (await session.deliver(all)).map(({ outcome }) => outcome);
    expect([...(await outcomes()), ...(await outcomes())].filter((one) => one === 'failed')).not.toEqual([]);
    expect(site.state().persons).toHaveLength(4);
  });

  test('while the probe is silent too is the server', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ silentAnswers: 1 }));
    site.stub.setFaults([{ status: 500 }]);
    expect(await session.deliver([item('account.create', '9500000001')])).toMatchObject([{ outcome: 'retry' }]);
  });
});

describe('a token of an identity provider', () => {
  /** A token endpoint of the test's own; gives `answers` in turn, the last one for ever. */
  async function provider(...answers: { status?: number; body: unknown }[]) {
    const asked: { authorization: string | undefined; form: Record<string, string> }[] = [];
    const server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      asked.push({ authorization: request.headers.authorization, form: Object.fromEntries(new URLSearchParams(text)) });
      const { status = 200, body } = answers.length > 1 ? answers.shift()! : answers[0]!;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    onTestFinished(() => void server.close());
    return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token` };
  }
  const token = (access_token: string, expires_in?: number) => ({
    body: { access_token, token_type: 'Bearer', ...(expires_in === undefined ? {} : { expires_in }) },
  });
  const auth = (tokenUrl: string) => ({
    auth: { tokenUrl, clientId: 'rosterd', clientSecret: { env: 'PS_PASSWORD' }, scope: 'ib' },
  });
  const one = (n: number) => [item('account.create', `950000000${n}`)];

  test('is asked for once, and again before it ends', async () => {
    const clock = handClock();
    const site = await openSite(clock);
    const { asked, url } = await provider(token('t1', 600), token('t2', 600));
    await site.mode({ tokens: ['t1'] });
    const session = await site.open(site.settings(auth(url)));
    expect(await session.deliver([...one(1), ...one(2), ...one(3)])).toMatchObject(Array(3).fill({ outcome: 'sent' }));
    expect(asked).toEqual([
      {
        authorization: undefined,
        form: { grant_type: 'client_credentials', client_id: 'rosterd', client_secret: 's3cret', scope: 'ib' },
      },
    ]);
    await site.mode({ tokens: ['t2'] });
    clock.time = 580_000;
    expect(await session.deliver(one(4))).toMatchObject([{ outcome: 'sent' }]);
    expect(asked).toHaveLength(2);
    await session.close();
  });

  test('that PeopleSoft takes no more is renewed once', async () => {
    const site = await openSite();
    const { asked, url } = await provider(token('t1'), token('t2'));
    await site.mode({ tokens: ['t2'] });
    const session = await site.open(site.settings(auth(url)));
    expect(await session.deliver(one(1))).toMatchObject([{ outcome: 'sent' }]);
    await site.mode({ tokens: ['t3'] });
    await expect(session.deliver(one(2))).rejects.toThrow(Denied);
    expect(asked).toHaveLength(3);
  });

  test.each([
    [{ status: 503, body: {} }, Unavailable],
    [{ status: 401, body: { error: 'invalid_client' } }, Denied],
    [{ status: 404, body: {} }, Misconfigured],
    [{ body: { access_token: 'x', token_type: 'mac' } }, Denied],
  ])('that is not given: %j', async (answer, kind) => {
    const site = await openSite();
    const { url } = await provider(answer);
    await expect(peoplesoft.probe(site.settings(auth(url)), site.context)).rejects.toThrow(kind);
    expect(site.state().requests).toBe(0);
  });
});
