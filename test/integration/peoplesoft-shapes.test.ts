import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { peoplesoft } from '../../connectors/peoplesoft/connector.ts';
import { Denied } from '../../src/base/errors.ts';
import type { DeliveryItem } from '../../src/connector/target.ts';
import { item, openSite, restOperations, shapes, withConfirm } from '../support/peoplesoft.ts';

const history = (): DeliveryItem[] => [
  item('account.create', '9500000001', { id: null, year: null, firstName: 'Zoë <&"\'>', lastName: "O'Neill; ]]>" }),
  item('account.create', '9510000002', { kind: 'staff' }),
  item('enrolment.add', '9500000001'),
  item('enrolment.add', '9510000002'),
  item('account.update', '9510000002', { kind: 'staff', lastName: 'Lovelace' }),
  item('enrolment.remove', '9510000002'),
  item('account.disable', '9510000002', { kind: 'staff', lastName: 'Lovelace' }),
];

describe.each(Object.entries(shapes))('in the shape %s', (name, operations) => {
  test('people and enrolments arrive, whatever letters they have', async () => {
    const site = await openSite();
    await site.mode({ oprids: { ROSTERD: 's3cret' }, nodePassword: 'n0de' });
    const session = await site.open(site.settings({ operations }));
    const results = await session.deliver(history());
    expect(results.map(({ outcome }) => outcome)).toEqual(Array(7).fill('sent'));
    for (const { answer } of results)
      expect(answer).toMatch(
        name.startsWith('rowset')
          ? /^transmitted, not confirmed: HTTP 20[02] \(transaction [0-9a-f-]{36}\)$/
          : /^HTTP 200 \(transaction [0-9a-f-]{36}\)$/,
      );
    expect(site.state()).toMatchObject({
      persons: [
        { account: '9500000001', emplid: null, year: null, firstName: 'Zoë <&"\'>', lastName: "O'Neill; ]]>" },
        { account: '9510000002', status: 'disabled', lastName: 'Lovelace', year: 2, kind: 'staff' },
      ],
      enrolments: [{ status: 'enrolled', course: 'Car Design' }, { status: 'dropped' }],
      monitor: [],
    });
  });

  test('the preview is every request, byte for byte', async () => {
    const site = await openSite();
    const chosen = site.settings({ operations });
    const items = history();
    const preview = peoplesoft.preview(chosen, { target: 'campus', institution: 'x' }, items);
    expect(preview.map((one) => one.items)).toEqual(items.map((one) => [one.item]));
    for (const { headers, body } of preview) {
      expect(JSON.stringify(headers) + String(body && Buffer.from(body))).not.toMatch(/s3cret|n0de|Uk9TVEVSR/);
    }
    const basic = `Basic ${Buffer.from('ROSTERD:s3cret').toString('base64')}`;
    const secretOf = (header: string): string =>
      header === 'authorization' ? basic : header === 'password' ? 'n0de' : 's3cret';
    await (await site.open(site.settings({ operations, concurrency: 1 }))).deliver(items);
    const seen = [...site.stub.requests()];
    for (const { method, url, headers, body } of preview) {
      const bytes = Buffer.from(Buffer.from(body!).toString().replace('{secret}', 's3cret'));
      const at = seen.findIndex((one) => one.sha256 === createHash('sha256').update(bytes).digest('hex'));
      expect(at, `${method} ${url}`).toBeGreaterThanOrEqual(0);
      const [one] = seen.splice(at, 1);
      expect(`${one!.method} ${site.stub.url}${one!.url}`).toBe(`${method} ${url}`);
      for (const [header, value] of Object.entries(headers))
        expect(one!.headers[header], header).toBe(value === '{secret}' ? secretOf(header) : value);
    }
    expect(seen).toEqual([]);
  });

  test('a change that the component interface refuses fails alone', async () => {
    const site = await openSite();
    const session = await site.open(site.settings({ operations }));
    const results = await session.deliver([
      item('account.update', '9500000001'),
      item('account.create', '9500000002', { email: 'nobody' }),
      item('account.create', '9500000003'),
    ]);
    if (name.startsWith('rowset')) {
      // nobody but the monitor knows
      expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent']);
      expect(site.state().monitor).toHaveLength(2);
    } else {
      expect(results.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'sent']);
      expect(results[0]!.answer).toContain('No rows exist for the specified keys. {RSTR_PERSON} (91,50)');
      expect(results[1]!.answer).toContain('(91,34)');
    }
    expect(site.state().persons).toMatchObject([{ account: '9500000003' }]);
  });

  test('an operation without permission stops everything, and so does a wrong password', async () => {
    const site = await openSite();
    // the iScript and the HTTP connector say it with a 200, in words that only the site knows
    const success = { denied: 'not authorized' };
    const session = await site.open(site.settings({ operations, success }));
    const create = [item('account.create', '9500000001')];
    await site.mode({ forbidden: ['RSTR_PERSON', 'CIRT_RSTR_PERSON', 'CI_RSTR_PERSON'] });
    await expect(session.deliver(create)).rejects.toThrow(Denied);
    await site.mode({ forbidden: [], oprids: { ROSTERD: 'other' }, nodePassword: 'other' });
    await expect(session.deliver(create)).rejects.toThrow(Denied);
    expect(site.state().persons).toEqual([]);
  });
});

describe('the stub is strict about SOAP', () => {
  const envelope = (root: string, inside: string, namespace: string) =>
    `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x:${root} xmlns:x="${namespace}">${inside}</x:${root}></e:Body></e:Envelope>`;
  const own = 'http://xmlns.oracle.com/Enterprise/Tools/schemas/RSTR_PERSON.V1';
  test.each([
    ['another root', envelope('Delete__CompIntfc__RSTR_PERSON', '', own), /is no request of a component interface/],
    ['another namespace', envelope('Create__CompIntfc__RSTR_PERSON', '', 'urn:x'), /is in the namespace urn:x/],
    ['an unknown property', envelope('Create__CompIntfc__RSTR_PERSON', '<x:AGE>1</x:AGE>', own), /RSTR_PERSON.AGE/],
    ['a missing key', envelope('Create__CompIntfc__RSTR_PERSON', '', own), /Required key is missing/],
    ['a DTD', `<!DOCTYPE a>${envelope('Create__CompIntfc__RSTR_PERSON', '', own)}`, /a DTD is not allowed/],
    ['no envelope', '<a/>', /no SOAP envelope/],
    ['half a document', '<a>', /not XML|no single root/],
  ])('%s is refused', async (_what, body, words) => {
    const { stub, state } = await openSite();
    const answer = await fetch(`${stub.url}/PSIGW/PeopleSoftServiceListeningConnector/PSFT_CS`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from('PS:PS').toString('base64')}`,
        'content-type': 'text/xml',
        soapaction: 'CI_RSTR_PERSON_C.V1',
      },
      body,
    });
    expect(await answer.text()).toMatch(words);
    expect(state().persons).toEqual([]);
  });
});

test('effective-dated rows: the day of the site, and the row of today is what counts', async () => {
  const now = new Date();
  const site = await openSite();
  const body = { ...(restOperations['account.create'] as { body: object }).body, EFFDT: '{today}' };
  const chosen = site.settings({
    operations: { 'account.create': { ...restOperations['account.create'], body } },
    today: { timeZone: 'Pacific/Kiritimati' },
  });
  const created = item('account.create', '9500000001');
  const [preview] = peoplesoft.preview(chosen, { target: 'campus', institution: 'x' }, [created]);
  expect(JSON.parse(Buffer.from(preview!.body!).toString())).toMatchObject({ EFFDT: '{today}' });
  expect(await (await site.open(chosen)).deliver([created])).toMatchObject([{ outcome: 'sent' }]);
  const there = new Date(now.getTime() + 14 * 3_600_000).toISOString().slice(0, 10);
  expect(site.state().effectiveDated).toEqual({ '9500000001': [there] });
});

test('paths below another gateway, and a prefix of the site', async () => {
  const site = await openSite();
  const chosen = site.settings({ url: `${site.stub.url}/edge`, gateway: '/IB', operations: shapes['ci-rest']! });
  const previews = peoplesoft.preview(chosen, { target: 'campus', institution: 'x' }, [
    item('account.create', '9500000001'),
  ]);
  expect(previews[0]!.url).toBe(`${site.stub.url}/edge/IB/RESTListeningConnector/PSFT_CS/CIRT_RSTR_PERSON_C_POST.v1`);
});

test('the preview has the looks of a read-back and the step of a token', async () => {
  const site = await openSite();
  const chosen = site.settings({
    auth: { tokenUrl: 'https://idp.example.edu/token', clientId: 'r', clientSecret: { env: 'PS_PASSWORD' } },
    operations: withConfirm(restOperations),
  });
  const created = item('account.create', '9500000001');
  const preview = peoplesoft.preview(chosen, { target: 'campus', institution: 'x' }, [created]);
  expect(preview.map(({ method, items }) => [method, items.length])).toEqual([
    ['POST', 0],
    ['GET', 0],
    ['POST', 1],
    ['GET', 0],
  ]);
  expect(Buffer.from(preview[0]!.body!).toString()).toBe(
    'grant_type=client_credentials&client_id=r&client_secret={secret}',
  );
});
