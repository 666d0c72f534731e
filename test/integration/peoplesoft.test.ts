import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { peoplesoft } from '../../connectors/peoplesoft/connector.ts';
import { peoplesoftStub } from '../../connectors/peoplesoft/stub.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Http, openHttp } from '../../src/connector/http.ts';
import { type Stub, startStub } from '../../src/connector/stub.ts';
import type { Shut, TargetContext } from '../../src/connector/target.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { temporaryFolder } from '../support/drop.ts';
import { design, item } from '../support/peoplesoft.ts';

interface Seen {
  persons: Record<string, unknown>[];
  enrolments: Record<string, unknown>[];
  monitor: string[];
  requests: number;
}

let stub: Stub;
let http: Http;
let context: TargetContext;

beforeEach(async () => {
  vi.stubEnv('PS_PASSWORD', 's3cret');
  stub = await startStub(peoplesoftStub);
  http = openHttp(stub.url, new AbortController().signal);
  context = {
    target: 'campus',
    institution: 'example-university',
    http,
    signal: new AbortController().signal,
    clock: systemClock,
    log: silentLog,
    spoolDir: temporaryFolder(),
    keep: keeping(),
    progress() {},
  };
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await http.close();
  await stub.close();
});

const configured = (more: object = {}) =>
  peoplesoft.settings.parse({
    url: stub.url,
    auth: { username: 'ROSTERD', password: { env: 'PS_PASSWORD' } },
    ...more,
  });
const open = (more: object = {}) => peoplesoft.open(configured(more), context);
const seen = () => stub.state() as Seen;
const mode = (body: object) =>
  fetch(`${stub.url}/_stub/mode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const people = (count: number) => Array.from({ length: count }, (_, i) => item('account.create', `95000000${10 + i}`));

describe('delivery', () => {
  test('writes persons and enrolments, and answers with the transaction of each', async () => {
    const session = await open();
    const items = [
      item('account.create', '9500000001'),
      item('account.create', '9510000002', { id: null, kind: 'staff', year: null }),
      item('enrolment.add', '9500000001'),
    ];
    const results = await session.deliver(items);
    expect(results.map(({ item, outcome }) => [item, outcome])).toEqual(items.map(({ item }) => [item, 'sent']));
    for (const { answer } of results) expect(answer).toMatch(/^HTTP 200 \(transaction [0-9a-f-]{36}\)$/);
    expect(seen().persons).toEqual([
      {
        account: '9500000001',
        emplid: 's-01',
        email: '9500000001@example.edu',
        firstName: 'Ada',
        lastName: 'Byron',
        kind: 'student',
        year: 2,
        status: 'active',
      },
      expect.objectContaining({ account: '9510000002', emplid: null, kind: 'staff', year: null }),
    ]);
    expect(seen().enrolments).toEqual([
      { account: '9500000001', courseCode: expect.stringMatching(/^[0-9a-f]{16}$/), ...design, status: 'enrolled' },
    ]);
  });

  test('never deletes: a leaver is disabled and the enrolment dropped, and both come back', async () => {
    const session = await open();
    await session.deliver([item('account.create', '9500000001'), item('enrolment.add', '9500000001')]);
    await session.deliver([item('enrolment.remove', '9500000001'), item('account.disable', '9500000001')]);
    expect(seen()).toMatchObject({ persons: [{ status: 'disabled' }], enrolments: [{ status: 'dropped' }] });
    await session.deliver([item('account.enable', '9500000001'), item('enrolment.add', '9500000001')]);
    expect(seen()).toMatchObject({ persons: [{ status: 'active' }], enrolments: [{ status: 'enrolled' }] });
  });

  test.each(['8.58', '8.59'])('tells refused items from taken ones with PeopleTools %s', async (tools) => {
    await mode({ tools });
    const session = await open();
    const results = await session.deliver([
      item('account.create', '9500000001'),
      item('account.create', '9500000002', { lastName: '' }),
      item('enrolment.add', '9500000002'),
      item('enrolment.add', '9500000001'),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'failed', 'failed', 'sent']);
    const status = tools === '8.58' ? 200 : 400;
    expect(results[1]!.answer).toContain(`HTTP ${status}: Invalid value or property. {RSTR_PERSON.LAST_NAME} (91,34)`);
    expect(results[2]!.answer).toContain('No rows exist for the specified keys. {RSTR_PERSON} (91,50)');
    expect(seen()).toMatchObject({ persons: { length: 1 }, enrolments: { length: 1 } });
  });

  test('keeps the order of one person while others are written beside', async () => {
    const session = await open({ concurrency: 8 });
    const items = people(12).flatMap((create) => [
      create,
      item('enrolment.add', create.account!.account),
      item('account.update', create.account!.account, { lastName: 'Lovelace' }),
    ]);
    expect((await session.deliver(items)).every(({ outcome }) => outcome === 'sent')).toBe(true);
    expect(seen().enrolments).toHaveLength(12);
    expect(new Set(seen().persons.map(({ lastName }) => lastName))).toEqual(new Set(['Lovelace']));
  });

  test('with a bearer token and an operation of the site', async () => {
    vi.stubEnv('PS_TOKEN', 'abc');
    const operation = {
      method: 'PUT',
      path: '/PSIGW/RESTListeningConnector/{node}/RSTR_PERSON.v1/{account}',
      body: {
        ACTION: 'CREATE',
        ACCOUNT: '{account}',
        EMAIL_ADDR: '{email}',
        FIRST_NAME: '-',
        LAST_NAME: '{lastName} {id}',
        STATUS: 'active',
      },
    };
    const session = await open({ auth: { bearer: { env: 'PS_TOKEN' } }, operations: { 'account.create': operation } });
    expect(await session.deliver([item('account.create', '9500000001')])).toMatchObject([{ outcome: 'sent' }]);
    expect(seen().persons).toMatchObject([{ lastName: 'Byron s-01', emplid: null }]);
  });

  test('an item that its path cannot hold fails alone, and nothing is sent for it', async () => {
    const operation = { path: '/PSIGW/RESTListeningConnector/{node}/RSTR_PERSON.v1/{id}' };
    const session = await open({ operations: { 'account.disable': operation } });
    const before = seen().requests;
    const results = await session.deliver([
      item('account.disable', '9500000001', { id: null }),
      item('account.disable', '9500000002', { id: '..' }),
      item('account.create', '9500000003'),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'sent']);
    expect(results[0]!.answer).toContain('{id}, which is missing');
    expect(seen().requests - before).toBe(1);
  });

  test('a refusal that means "so already" counts as sent where the site says so', async () => {
    const already = 'No rows exist';
    const path = '/PSIGW/RESTListeningConnector/{node}/RSTR_PERSON.v1/{account}';
    const body = {
      ACTION: 'DISABLE',
      ACCOUNT: '{account}',
      EMAIL_ADDR: '{email}',
      FIRST_NAME: '',
      LAST_NAME: 'x',
      STATUS: 'disabled',
    };
    const unknown = [item('account.disable', '9500000009')];
    const strict = await open({ operations: { 'account.disable': { path, body } } });
    const lenient = await open({ operations: { 'account.disable': { path, body, already } } });
    expect(await strict.deliver(unknown)).toMatchObject([{ outcome: 'failed' }]);
    expect(await lenient.deliver(unknown)).toMatchObject([
      { outcome: 'sent', answer: expect.stringContaining(already) },
    ]);
  });
});

describe('when things go wrong', () => {
  test('a lost answer puts the person off, and a second delivery leaves the same state as one', async () => {
    const session = await open();
    const items = [item('account.create', '9500000001'), item('enrolment.add', '9500000001'), ...people(3)];
    stub.setFaults([{ path: '/RSTR_PERSON.v1/9500000001', count: 1, when: 'after', reset: true }]);
    const first = await session.deliver(items);
    expect(first.map(({ outcome }) => outcome)).toEqual(['retry', 'retry', 'sent', 'sent', 'sent']);
    expect(seen()).toMatchObject({ persons: { length: 4 }, enrolments: [] });
    const { persons } = seen();
    const second = await session.deliver(items.slice(0, 2));
    expect(second.map(({ outcome }) => outcome)).toEqual(['sent', 'sent']);
    expect(seen().persons).toEqual(persons);
    expect(seen().enrolments).toHaveLength(1);
  });

  test("a server error without a word puts off that person's items and nobody else's", async () => {
    const session = await open();
    stub.setFaults([{ path: '/9500000001', status: 500 }]);
    const results = await session.deliver([
      item('account.update', '9500000001'),
      item('enrolment.add', '9500000001'),
      item('account.create', '9500000002'),
    ]);
    expect(results).toMatchObject([
      { outcome: 'retry', answer: expect.stringMatching(/^HTTP 500/) },
      { outcome: 'retry', answer: 'not sent: waits for an earlier change of this person' },
      { outcome: 'sent' },
    ]);
    expect(seen().requests).toBe(2);
  });

  test('as long as the server says', async () => {
    const session = await open();
    stub.setFaults([{ status: 503, headers: { 'retry-after': '90' } }]);
    expect(await session.deliver([item('account.create', '9500000001')])).toMatchObject([
      { outcome: 'retry', delayMs: 90_000 },
    ]);
  });

  test('a server that does not answer at all is not asked for every item', async () => {
    const session = await open({ concurrency: 1 });
    stub.setFaults([{ reset: true }]);
    await expect(session.deliver(people(20))).rejects.toBeInstanceOf(Unavailable);
    expect(seen().requests).toBe(3);
  });

  test('a server that falls silent in the middle keeps what it took', async () => {
    const session = await open({ concurrency: 1 });
    stub.setFaults([{ path: '/95000000(1[3-9]|2)', reset: true }]);
    const results = await session.deliver(people(8));
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent', ...Array(5).fill('retry')]);
    expect(seen()).toMatchObject({ persons: { length: 3 }, requests: 6 });
  });

  test.each([
    ['a refused login', { status: 401 }, Denied],
    ['a login page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' }, Denied],
    ['a redirect to one', { status: 302, headers: { location: '/psp/ps/?cmd=login' } }, Denied],
    ['an unknown operation', { status: 404 }, Misconfigured],
  ])('%s ends the batch at the first request', async (_what, fault, kind) => {
    const session = await open({ concurrency: 1 });
    stub.setFaults([{ ...fault }]);
    await expect(session.deliver(people(5))).rejects.toBeInstanceOf(kind);
    // beside it at most the probe, which tells whether others are let in; never one login more than needed
    const isLogin = fault.status === 401 || fault.status === 302;
    expect(stub.requests().map(({ method }) => method)).toEqual(isLogin ? ['POST'] : ['POST', 'GET']);
    expect(seen()).toMatchObject({ persons: [] });
  });

  test.each([
    ['a page of a firewall', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Rejected</html>' }],
    ['a 403', { status: 403, body: 'blocked' }],
    ['a 404', { status: 404 }],
  ])('%s to one person holds up nobody else', async (_what, fault) => {
    const session = await open({ concurrency: 1 });
    stub.setFaults([{ path: '/9500000011', ...fault }]);
    const all = people(5);
    const outcomes = async (batch: typeof all) => (await session.deliver(batch)).map(({ outcome }) => outcome);
    expect(await outcomes(all)).toEqual(['sent', 'retry', 'sent', 'sent', 'sent']);
    // alone, and in a session that has had no answer yet, it is told from a shut door by the probe
    const [alone] = await (await open({ concurrency: 1 })).deliver([all[1]!]);
    expect(alone).toMatchObject({ outcome: 'retry', answer: expect.stringMatching(/^account\.create: /) });
    // it counts as an attempt, or it would be tried to the end of days
    expect(alone).not.toHaveProperty('attempted');
  });

  test('a door that is shut in the middle keeps what was answered', async () => {
    const session = await open({ concurrency: 1 });
    stub.setFaults([{ path: '/95000000(1[2-9]|2)', status: 403 }]);
    const all = people(9);
    const { results, cause } = (await session.deliver(all).catch((error: unknown) => error)) as Shut;
    expect(cause).toBeInstanceOf(Denied);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', ...Array(7).fill('retry')]);
    expect(results.slice(6)).toMatchObject(
      [16, 17, 18].map(() => ({ answer: 'not sent: no answer to others', attempted: false })),
    );
  });

  test.each([
    ['busy', { status: 503 }],
    ['silent', { status: 500 }],
    ['gone', { reset: true }],
  ])('being put off by a server that is %s to everybody is no attempt of anybody', async (_what, fault) => {
    const session = await open();
    stub.setFaults([{ ...fault, path: '/95000000' }]);
    const two = people(2);
    for (const _ of [1, 2, 3])
      for (const result of await session.deliver(two))
        expect(result).toMatchObject({ outcome: 'retry', attempted: false });
    // while others are answered it is one
    stub.setFaults([{ ...fault, path: '/9500000010' }]);
    await session.deliver(two);
    const [still] = await session.deliver(two);
    expect(still).toMatchObject({ outcome: 'retry' });
    expect(still).not.toHaveProperty('attempted');
  });

  test('a SOAP fault and an error of the gateway are refusals, whatever their status', async () => {
    const envelope = (code: string) =>
      `<e:Envelope xmlns:e="x"><e:Body><e:Fault><faultcode>e:${code}</faultcode><faultstring>bad row</faultstring></e:Fault></e:Body></e:Envelope>`;
    const session = await open({
      concurrency: 1,
      operations: { 'account.update': { path: '/PSIGW/HttpListeningConnector', body: {} } },
    });
    stub.setFaults([
      { path: '/RSTR_PERSON', status: 500, headers: { 'content-type': 'text/xml' }, body: envelope('Client') },
    ]);
    expect(
      await session.deliver([item('account.create', '9500000001'), item('account.update', '9500000002')]),
    ).toMatchObject([
      { outcome: 'failed', answer: expect.stringContaining('bad row') },
      { outcome: 'failed', answer: expect.stringContaining('OperationName is missing. (158,10001)') },
    ]);
  });

  test('an asynchronous operation says that a message came; only the monitor knows what became of it', async () => {
    await mode({ async: true });
    const session = await open();
    expect(await session.deliver([item('enrolment.add', '9500000001')])).toMatchObject([
      { outcome: 'sent', answer: expect.stringMatching(/^HTTP 202 \(transaction /) },
    ]);
    expect(seen()).toMatchObject({
      enrolments: [],
      monitor: ['RSTR_ENRL: No rows exist for the specified keys. {RSTR_PERSON} (91,50)'],
    });
  });
});

describe('the probe', () => {
  test('reaches the target with its login and changes nothing', async () => {
    expect(await peoplesoft.probe(configured(), context)).toEqual([
      `reached ${stub.url} as ROSTERD`,
      'GET /PSIGW/RESTListeningConnector/PSFT_CS/RSTR_PERSON.v1: HTTP 200',
    ]);
    expect(seen()).toMatchObject({ persons: [], enrolments: [] });
  });

  test('says what a person has to mend', async () => {
    const missing = await peoplesoft.probe(configured({ node: 'PSFT_HR' }), context).catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(Misconfigured);
    // a site with operations of its own has no path that is proposed
    expect(missing).toMatchObject({ remedy: expect.stringMatching(/node .*; or set probe to a path/) });
    vi.stubEnv('PS_PASSWORD', '');
    await expect(peoplesoft.probe(configured(), context)).rejects.toThrow(/PS_PASSWORD/);
    stub.setFaults([{ status: 401, count: 1 }, { status: 503 }]);
    vi.stubEnv('PS_PASSWORD', 'wrong');
    await expect(peoplesoft.probe(configured(), context)).rejects.toBeInstanceOf(Denied);
    await expect(peoplesoft.probe(configured(), context)).rejects.toBeInstanceOf(Unavailable);
  });
});

describe('the stub keeps the manners of the Integration Broker', () => {
  const send = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`${stub.url}/PSIGW/${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('PS:PS').toString('base64')}`, ...headers },
      body,
    });

  test('no login is a 401, an unknown node or operation a 404, each with a transaction', async () => {
    const answers = [
      await send('RESTListeningConnector/PSFT_CS/RSTR_PERSON.v1/1', '{}', { authorization: '' }),
      await send('RESTListeningConnector/PSFT_XX/RSTR_PERSON.v1/1', '{}'),
      await send('RESTListeningConnector/PSFT_CS/OTHER.v1/1', '{}'),
      await send('HttpListeningConnector', '<x/>', { operationname: 'OTHER.v1' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 404, 404, 200]);
    for (const { headers } of answers) expect(headers.get('transactionid')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await answers[3]!.text()).toContain('<IBResponse type="error">');
  });

  test('production withholds the text of an unexpected error', async () => {
    const path = 'RESTListeningConnector/PSFT_CS/RSTR_PERSON.v1/9500000001';
    const open = await send(path, 'not JSON');
    expect([open.status, await open.text()]).toEqual([500, expect.stringContaining('the message is not JSON')]);
    await mode({ production: true });
    const closed = await send(path, 'not JSON');
    expect([closed.status, await closed.text()]).toEqual([500, '']);
  });
});
