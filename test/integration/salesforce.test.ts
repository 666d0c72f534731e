import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { salesforce } from '../../connectors/salesforce/connector.ts';
import { enrolmentKey } from '../../connectors/salesforce/records.ts';
import { salesforceStub } from '../../connectors/salesforce/stub.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Http, openHttp } from '../../src/connector/http.ts';
import { type Stub, startStub } from '../../src/connector/stub.ts';
import { Shut, type TargetContext } from '../../src/connector/target.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { temporaryFolder } from '../support/drop.ts';
import { design, itemsFor } from '../support/items.ts';

interface Seen {
  contacts: Record<string, unknown>[];
  enrolments: Record<string, unknown>[];
  requests: number;
}

let stub: Stub;
let http: Http;
let context: TargetContext;

beforeEach(async () => {
  vi.stubEnv('SALESFORCE_SECRET', 's3cret');
  stub = await startStub(salesforceStub);
  http = openHttp(stub.url, new AbortController().signal);
  context = {
    target: 'crm',
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
  salesforce.settings.parse({
    url: stub.url,
    clientId: 'rosterd',
    clientSecret: { env: 'SALESFORCE_SECRET' },
    ...more,
  });
const open = (more: object = {}) => salesforce.open(configured(more), context);
const seen = () => stub.state() as Seen;
const post = (path: string, body?: object) =>
  fetch(`${stub.url}${path}`, {
    method: 'POST',
    ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
  });

const item = itemsFor('crm');

describe('delivery', () => {
  test('writes people before enrolments, whatever their order in the batch, and answers in that order', async () => {
    const session = await open();
    const items = [item('enrolment.add', '9500000002'), item('account.create', '9500000002')];
    const results = await session.deliver(items);
    expect(results.map(({ item, outcome }) => [item, outcome])).toEqual(items.map(({ item }) => [item, 'sent']));
    expect(results[1]!.answer).toMatch(/^created 003/);
    expect(seen().contacts).toEqual([
      {
        Rosterd_Account__c: '9500000002',
        Rosterd_Id__c: 's-02',
        FirstName: 'Ada',
        LastName: 'Byron',
        Email: '9500000002@example.edu',
        Rosterd_Year__c: 2,
        Rosterd_Status__c: 'Active',
      },
    ]);
    expect(seen().enrolments).toEqual([
      {
        Rosterd_Key__c: enrolmentKey('9500000002', design),
        Rosterd_Contact__r: '9500000002',
        Rosterd_Faculty__c: 'Engineering',
        Rosterd_Department__c: 'Mechanical Engineering',
        Rosterd_Course__c: 'Car Design',
        Rosterd_Status__c: 'Current',
      },
    ]);
  });

  test('never deletes: a leaver is disabled and the enrolment is former, and both come back', async () => {
    const session = await open();
    await session.deliver([item('account.create', '9500000001'), item('enrolment.add', '9500000001')]);
    await session.deliver([item('account.disable', '9500000001'), item('enrolment.remove', '9500000001')]);
    expect(seen().contacts).toMatchObject([{ Rosterd_Status__c: 'Disabled' }]);
    expect(seen().enrolments).toMatchObject([{ Rosterd_Status__c: 'Former' }]);
    const back = await session.deliver([item('account.enable', '9500000001'), item('enrolment.add', '9500000001')]);
    expect(back.map(({ answer }) => answer?.split(' ')[0])).toEqual(['updated', 'updated']);
    expect(seen().contacts).toMatchObject([{ Rosterd_Status__c: 'Active' }]);
    expect(seen().enrolments).toMatchObject([{ Rosterd_Status__c: 'Current' }]);
  });

  test('tells good records from bad ones in one answer, in the words of the org', async () => {
    const session = await open();
    const results = await session.deliver([
      item('account.create', '9500000001'),
      item('account.create', '9500000002', { lastName: '' }),
      item('account.create', '9500000003', { firstName: 'x'.repeat(41) }),
      item('account.create', '9500000004', { email: 'not an address' }),
      item('enrolment.add', '9500000001'),
      item('enrolment.add', '9500000002'),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'failed', 'failed', 'failed', 'sent', 'failed']);
    expect(results[1]!.answer).toBe('REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]');
    expect(results[2]!.answer).toMatch(/^STRING_TOO_LONG: .*max length=40/);
    expect(results[3]!.answer).toMatch(/^INVALID_EMAIL_ADDRESS: /);
    expect(results[5]!.answer).toBe(
      'INVALID_FIELD: Foreign key external ID: 9500000002 not found for field Rosterd_Account__c in entity Contact',
    );
    expect(seen().contacts).toHaveLength(1);
  });

  test('a batch of more people than one request takes goes in several', async () => {
    const session = await open({ batch: 2, concurrency: 3 });
    const items = Array.from({ length: 5 }, (_, index) => item('account.create', `950000000${index}`));
    expect((await session.deliver(items)).every(({ outcome }) => outcome === 'sent')).toBe(true);
    expect(seen()).toMatchObject({ contacts: { length: 5 }, requests: 1 + 3 });
  });

  test('two changes of one person in one batch are two requests, and the later one stands', async () => {
    const session = await open();
    const results = await session.deliver([
      item('account.create', '9500000001', { lastName: 'Byron' }),
      item('account.update', '9500000001', { lastName: 'Lovelace' }),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent']);
    expect(seen().contacts).toMatchObject([{ LastName: 'Lovelace' }]);
  });

  test.each([
    ['a locked row', false, /^UNABLE_TO_LOCK_ROW: unable to obtain exclusive access/],
    [
      'a row that a trigger finds locked',
      true,
      /^CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: .*first error: UNABLE_TO_LOCK/s,
    ],
  ])('%s is tried again, and so is the enrolment that needs it', async (_what, inTrigger, words) => {
    const session = await open();
    await post('/_stub/lock', { externalIds: ['9500000001'], inTrigger });
    const items = [
      item('account.create', '9500000001'),
      item('account.create', '9500000002'),
      item('enrolment.add', '9500000001'),
      item('enrolment.add', '9500000002'),
    ];
    const first = await session.deliver(items);
    expect(first.map(({ outcome }) => outcome)).toEqual(['retry', 'sent', 'retry', 'sent']);
    expect(first[0]!.answer).toMatch(words);
    const second = await session.deliver(items.filter((_, index) => first[index]!.outcome === 'retry'));
    expect(second.map(({ outcome }) => outcome)).toEqual(['sent', 'sent']);
    expect(seen().enrolments).toHaveLength(2);
  });
});

describe('when things go wrong', () => {
  test('a lost answer and a second delivery leave the org as one delivery does', async () => {
    const session = await open();
    const items = [item('account.create', '9500000001'), item('enrolment.add', '9500000001')];
    stub.setFaults([{ path: '/composite/', count: 1, when: 'after', reset: true }]);
    await expect(session.deliver(items)).rejects.toBeInstanceOf(Unavailable);
    expect(seen().contacts).toHaveLength(1);
    const { contacts } = seen();
    expect((await session.deliver(items)).map(({ outcome }) => outcome)).toEqual(['sent', 'sent']);
    expect(seen().contacts).toEqual(contacts);
    expect(seen().enrolments).toHaveLength(1);
  });

  test('a session that ends in the middle of a run is renewed without anybody noticing', async () => {
    const session = await open();
    await session.deliver([item('account.create', '9500000001')]);
    await post('/_stub/expire-tokens');
    const before = seen().requests;
    expect(await session.deliver([item('account.create', '9500000002')])).toMatchObject([{ outcome: 'sent' }]);
    // The refused request, the login, the request again.
    expect(seen().requests - before).toBe(3);
  });

  test('two deliveries that meet an ended session share one new login', async () => {
    const session = await open();
    await session.deliver([item('account.create', '9500000001')]);
    await post('/_stub/expire-tokens');
    const before = seen().requests;
    await Promise.all(
      ['9500000002', '9500000003'].map((account) => session.deliver([item('account.create', account)])),
    );
    expect(seen()).toMatchObject({ contacts: { length: 3 }, requests: before + 2 + 1 + 2 });
  });

  test('a session that is refused right after a login is a matter for a person, not for a loop', async () => {
    const session = await open();
    const body = '[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]';
    stub.setFaults([{ path: '/composite/', status: 401, body }]);
    await expect(session.deliver([item('account.create', '9500000001')])).rejects.toThrow(
      /This session is not valid for use with the REST API/,
    );
    // the login and one refusal, no second login
    expect(seen().requests).toBe(2);
    await expect(session.deliver([item('account.create', '9500000001')])).rejects.toBeInstanceOf(Denied);
  });

  test.each([
    ['server error', { status: 500, body: '[{"message":"oops","errorCode":"UNKNOWN_EXCEPTION"}]' }, Unavailable],
    ['throttle', { status: 429 }, Unavailable],
    ['page of a gateway', { status: 200, body: '<html>Down for maintenance</html>' }, Unavailable],
    ['answer for other records', { status: 200, body: '[]' }, Unavailable],
    ['forbidden API', { status: 403, body: '[{"message":"no","errorCode":"API_DISABLED_FOR_ORG"}]' }, Denied],
    ['unknown object', { status: 404, body: '[{"message":"gone","errorCode":"NOT_FOUND"}]' }, Misconfigured],
    [
      'body not understood',
      { status: 400, body: '[{"message":"bad","errorCode":"JSON_PARSER_ERROR"}]' },
      Misconfigured,
    ],
  ])('a %s is the right kind of error', async (_what, fault, kind) => {
    const session = await open();
    stub.setFaults([{ path: '/composite/', ...fault }]);
    await expect(session.deliver([item('account.create', '9500000001')])).rejects.toBeInstanceOf(kind);
    expect(seen().contacts).toEqual([]);
  });

  test('what was put off keeps its own words when the server goes away after it', async () => {
    const session = await open();
    const locked =
      '[{"success":false,"errors":[{"statusCode":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access"}]}]';
    stub.setFaults([
      { path: '/composite/sobjects/Contact', status: 200, body: locked },
      { path: '/composite/sobjects/Rosterd_Enrolment__c', status: 503 },
    ]);
    const results = await session.deliver([item('account.create', '9500000001'), item('enrolment.add', '9500000002')]);
    expect(results).toMatchObject([
      { outcome: 'retry', answer: expect.stringContaining('UNABLE_TO_LOCK_ROW') },
      { outcome: 'retry', answer: expect.not.stringContaining('UNABLE_TO_LOCK_ROW') },
    ]);
  });

  test('what was taken before an object was refused counts, is not sent again, and nothing else is tried', async () => {
    const session = await open();
    const body = '[{"message":"gone","errorCode":"NOT_FOUND"}]';
    stub.setFaults([{ path: '/composite/sobjects/Rosterd_Enrolment__c', status: 404, body }]);
    const items = [item('account.create', '9500000001'), item('enrolment.add', '9500000001')];
    const shut: unknown = await session.deliver(items).catch((error: unknown) => error);
    expect(shut).toBeInstanceOf(Shut);
    expect((shut as Shut).cause).toBeInstanceOf(Misconfigured);
    expect((shut as Shut).results).toMatchObject([
      { item: items[0]!.item, outcome: 'sent' },
      { item: items[1]!.item, outcome: 'retry', attempted: false, answer: expect.stringContaining('gone') },
    ]);
    expect(seen().contacts).toHaveLength(1);
  });

  test.each([
    [
      'a spent quota, for an hour',
      { status: 403, body: '[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]' },
      3_600_000,
    ],
    ['as long as the server says', { status: 503, headers: { 'retry-after': '90' } }, 90_000],
  ])('waits: %s', async (_what, fault, delayMs) => {
    const session = await open();
    stub.setFaults([{ path: '/composite/', ...fault }]);
    await expect(session.deliver([item('account.create', '9500000001')])).rejects.toMatchObject({
      kind: 'Unavailable',
      delayMs,
    });
  });

  test.each([
    ['ConcurrentRequests (Concurrent API Requests) Limit exceeded.', {}, undefined],
    ['ConcurrentPerOrgLongTxn Limit exceeded.', { 'retry-after': '5' }, 5000],
  ])('too many requests side by side are no spent quota: %s', async (message, headers, delayMs) => {
    const session = await open();
    const body = JSON.stringify([{ message, errorCode: 'REQUEST_LIMIT_EXCEEDED' }]);
    stub.setFaults([{ path: '/composite/', status: 403, count: 1, headers, body }]);
    const refused = session.deliver([item('account.create', '9500000001')]);
    await expect(refused).rejects.toMatchObject({ kind: 'Unavailable', delayMs });
    await expect(refused).rejects.toThrow(message);
    // nothing holds the next attempt back
    expect(await session.deliver([item('account.create', '9500000001')])).toMatchObject([{ outcome: 'sent' }]);
  });
});

describe('the login', () => {
  const deliverOne = async () => (await open()).deliver([item('account.create', '9500000001')]);

  test.each([
    ['invalid_grant', 'no client credentials user enabled', Denied],
    ['invalid_client_id', 'client identifier invalid', Denied],
    ['unknown_error', 'retry your request', Unavailable],
    ['invalid_grant', 'login rate exceeded', Unavailable],
  ])('%s: %s', async (error, description, kind) => {
    stub.setFaults([
      { path: '/oauth2/token', status: 400, body: JSON.stringify({ error, error_description: description }) },
    ]);
    const failed = deliverOne();
    await expect(failed).rejects.toBeInstanceOf(kind);
    await expect(failed).rejects.toThrow(`${error}: ${description}`);
  });

  test.each([429, 503])('at a busy endpoint is for later, whatever the words of its %i', async (status) => {
    const body = JSON.stringify({ error: 'invalid_request', error_description: 'too many requests' });
    stub.setFaults([{ path: '/oauth2/token', status, headers: { 'retry-after': '5' }, body }]);
    await expect(deliverOne()).rejects.toMatchObject({ kind: 'Unavailable', delayMs: 5000 });
  });

  test('that failed is not remembered', async () => {
    const session = await open();
    stub.setFaults([{ path: '/oauth2/token', count: 1, status: 503 }]);
    await expect(session.deliver([item('account.create', '9500000001')])).rejects.toBeInstanceOf(Unavailable);
    expect(await session.deliver([item('account.create', '9500000001')])).toMatchObject([{ outcome: 'sent' }]);
  });

  test('with a session on another host sends nothing there', async () => {
    stub.setFaults([
      {
        path: '/oauth2/token',
        status: 200,
        body: JSON.stringify({ access_token: 'x', instance_url: 'https://elsewhere.example.com' }),
      },
    ]);
    const failed = deliverOne();
    await expect(failed).rejects.toBeInstanceOf(Denied);
    await expect(failed).rejects.toThrow('https://elsewhere.example.com');
    expect(seen().requests).toBe(1);
  });

  test('at a host without token endpoint asks for the My Domain', async () => {
    stub.setFaults([{ path: '/oauth2/token', status: 302, headers: { location: 'https://login.salesforce.com' } }]);
    await expect(deliverOne()).rejects.toMatchObject({ kind: 'Misconfigured', remedy: /My Domain/ });
  });
});

describe('the probe', () => {
  test('says what it found and changes nothing', async () => {
    expect(await salesforce.probe(configured(), context)).toEqual([
      `logged in to ${stub.url}`,
      'Contact: matched by Rosterd_Account__c, 6 fields',
      'Rosterd_Enrolment__c: matched by Rosterd_Key__c, 4 fields',
      expect.stringMatching(/^API requests of the day: \d+\/15000$/),
    ]);
    expect(seen()).toMatchObject({ contacts: [], enrolments: [] });
  });

  test('lists everything that the org lacks at once', async () => {
    const chosen = configured({
      contact: { externalId: 'Rosterd_Id__c', fields: { lastName: 'Surname__c', status: 'Rosterd_Status__c' } },
      enrolment: { contactRelation: 'Student__r' },
    });
    await expect(salesforce.probe(chosen, context)).rejects.toMatchObject({
      kind: 'Misconfigured',
      message:
        'the org does not fit the settings: Contact.Rosterd_Id__c must be marked External Id and Unique; ' +
        'Contact has no field Surname__c; Contact.LastName is required, and nothing fills it; ' +
        'Rosterd_Enrolment__c has no relationship Student__r',
    });
    await expect(salesforce.probe(configured({ enrolment: { object: 'Gone__c' } }), context)).rejects.toThrow(
      'there is no object Gone__c',
    );
  });
});
