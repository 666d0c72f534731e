import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { salesforce } from '../../connectors/salesforce/connector.ts';
import { Misconfigured, Unavailable } from '../../src/base/errors.ts';
import type { DeliveryItem } from '../../src/connector/target.ts';
import { steppedClock } from '../support/drop.ts';
import { item, type Site, salesforceSite } from '../support/salesforce.ts';

/** Bulk API 2.0: many records by jobs, against the stub. */

const bulk = { from: 3, batch: 1000, pollEvery: '1s', pollFor: '10m' };
const clock = steppedClock();
let at: Site;
beforeEach(async () => {
  clock.waits.length = 0;
  at = await salesforceSite(clock);
});

const people = (count: number): DeliveryItem[] => Array.from({ length: count }, (_, n) => item('account.create', n));
const joined = (count: number): DeliveryItem[] => Array.from({ length: count }, (_, n) => item('enrolment.add', n));
const outcomes = async (delivered: Promise<{ outcome: string }[]>) => (await delivered).map(({ outcome }) => outcome);
const set = (list: readonly string[]) => [...new Set(list)];

describe('jobs', () => {
  test('take people, then enrolments, each to its end; answers are matched by external id, in whatever order', async () => {
    const session = await at.open({ bulk });
    const items = [...joined(20), ...people(20)];
    const results = await session.deliver(items);
    expect(results.map(({ item, outcome }) => [item, outcome])).toEqual(items.map(({ item }) => [item, 'sent']));
    const ids = new Map(at.seen().contacts.map((row) => [row['Rosterd_Account__c'], row]));
    expect(ids.size).toBe(20);
    expect(at.seen().enrolments).toHaveLength(20);
    expect(new Set(results.map(({ answer }) => answer)).size).toBe(40);
    for (const { answer } of results) expect(answer).toMatch(/^created (003|a00)/);
    expect(at.asked()).toEqual([
      'GET /jobs/ingest?jobType=V2Ingest',
      ...['1', '2'].flatMap((n) => {
        const job = `/jobs/ingest/75000000000000${n}AAA`;
        return [
          'POST /jobs/ingest',
          `PUT ${job}/batches`,
          `PATCH ${job}`,
          ...Array.from({ length: 3 }, () => `GET ${job}`),
          ...['successfulResults', 'failedResults', 'unprocessedrecords'].map((name) => `GET ${job}/${name}`),
          `DELETE ${job}`,
        ];
      }),
    ]);
    expect(clock.waits).toEqual([1000, 1500, 1000, 1500]);
    expect(readdirSync(at.context.spoolDir)).toEqual([]);
  });

  test('say at each look how long they have been at work: nobody takes them for stuck', async () => {
    const said: string[] = [];
    at.context.progress = (text) => void said.push(text);
    const session = await at.open({ bulk });
    await session.deliver(people(20));
    expect(said).toEqual([0, 1].map((n) => expect.stringMatching(`^job 75.* is .* in Salesforce, after ${n} s$`)));
  });

  test('are for many: fewer records of an object go by request', async () => {
    const session = await at.open({ bulk });
    expect(set(await outcomes(session.deliver([...people(3), ...joined(2)])))).toEqual(['sent']);
    expect(at.asked().filter((one) => /^(POST|PATCH.*composite)/.test(one))).toEqual([
      'POST /jobs/ingest',
      'PATCH /composite/sobjects/Rosterd_Enrolment__c/Rosterd_Key__c',
    ]);
  });

  test('write null as #N/A, quote what CSV needs quoted, and mean by an empty text what a request means', async () => {
    const session = await at.open({ bulk });
    const odd = 'O"Neil, the "2nd"\nof \u00e9t\u00e9 ';
    await session.deliver(people(3));
    const items = [
      item('account.update', 0, { lastName: odd, id: null, year: null, firstName: '' }),
      item('account.update', 1, { lastName: '#N/A' }),
      item('account.update', 2, { lastName: 'Ng', year: 4 }),
      item('account.update', 3, { lastName: '-' }),
    ];
    expect(set(await outcomes(session.deliver(items)))).toEqual(['sent']);
    expect(at.seen().contacts).toMatchObject([
      { LastName: odd, Rosterd_Id__c: null, Rosterd_Year__c: null, FirstName: null },
      // a job would have taken it for nothing
      { LastName: '#N/A', Rosterd_Id__c: 's-1' },
      { LastName: 'Ng', Rosterd_Year__c: 4 },
      { LastName: '-' },
    ]);
  });

  test('that end as JobComplete may have failed rows, which say why; enrolments of such people fail as ever', async () => {
    const session = await at.open({ bulk });
    const items = [
      item('account.create', 1),
      item('account.create', 2, { lastName: '' }),
      item('account.create', 3, { firstName: 'x'.repeat(41) }),
      ...[1, 2, 3].map((n) => item('enrolment.add', n)),
    ];
    const results = await session.deliver(items);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'failed', 'failed', 'sent', 'failed', 'failed']);
    expect(results[1]!.answer).toBe('REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --');
    expect(results[2]!.answer).toMatch(/^STRING_TOO_LONG:/);
    expect(results[4]!.answer).toMatch(/^INVALID_FIELD:Foreign key external ID: 9500000002 not found/);
  });

  test.each([
    ['a locked row', false],
    ['a row that a trigger finds locked', true],
  ])('%s is tried again, and the enrolment of that person waits', async (_what, inTrigger) => {
    const session = await at.open({ bulk });
    await at.post('lock', { externalIds: ['9500000001'], inTrigger });
    const items = [...people(3), ...joined(3)];
    const results = await session.deliver(items);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'retry', 'sent', 'sent', 'retry', 'sent']);
    const again = items.filter((_, n) => results[n]!.outcome === 'retry');
    expect(await outcomes(session.deliver(again))).toEqual(['sent', 'sent']);
  });

  test('one key twice in a batch is never twice in a job, and the later one stands', async () => {
    const session = await at.open({ bulk });
    const items = [...people(3), item('account.update', 1, { lastName: 'Lovelace' })];
    expect(set(await outcomes(session.deliver(items)))).toEqual(['sent']);
    expect(at.seen().contacts[1]).toMatchObject({ LastName: 'Lovelace' });
  });

  test('are split by size', async () => {
    const session = await at.open({ bulk: { ...bulk, jobSize: '1KB' } });
    const items = people(60);
    expect(set(await outcomes(session.deliver(items)))).toEqual(['sent']);
    const uploads = at.stub.requests().filter(({ method }) => method === 'PUT');
    expect(uploads.length).toBeGreaterThan(2);
    for (const { bytes, body } of uploads) {
      expect(bytes).toBeLessThanOrEqual(1024);
      expect(body).toMatch(/^Rosterd_Account__c,/);
    }
  });

  test('rows that a duplicate rule blocks go by request when duplicates are allowed', async () => {
    await at.post('rules', { duplicates: true });
    const twins = [1, 2, 3].map((n) => item('account.create', n, { email: 'same@example.edu' }));
    const refusing = await at.open({ bulk });
    expect(await outcomes(refusing.deliver(twins))).toEqual(['sent', 'failed', 'failed']);
    const allowing = await at.open({ bulk, duplicates: 'allow' });
    expect(await outcomes(allowing.deliver(twins))).toEqual(['sent', 'sent', 'sent']);
    expect(at.seen().contacts).toHaveLength(3);
  });
});

describe('jobs that go wrong', () => {
  test('Failed with some rows done: those count, the others are tried again', async () => {
    const session = await at.open({ bulk });
    await at.post('bulk', { fail: { after: 2, message: 'InternalServerError : try later' } });
    const results = await session.deliver(people(5));
    expect(results.filter(({ outcome }) => outcome === 'sent')).toHaveLength(2);
    expect(results.filter(({ outcome }) => outcome === 'retry')).toHaveLength(3);
    expect(results.find(({ outcome }) => outcome === 'retry')!.answer).toBe(
      'not processed: the job ended as Failed (InternalServerError : try later)',
    );
    expect(at.seen().contacts).toHaveLength(2);
  });

  test('a field that the org does not have is a matter for a person', async () => {
    const fields = { lastName: 'LastName', email: 'Gone__c', status: 'Rosterd_Status__c' };
    const session = await at.open({ bulk, contact: { fields } });
    const failed = session.deliver(people(3));
    await expect(failed).rejects.toBeInstanceOf(Misconfigured);
    await expect(failed).rejects.toThrow('InvalidBatch : Field name not found : Gone__c');
    expect(at.seen().jobs).toEqual([]);
  });

  test('that never end are aborted; what they had done counts, the rest is tried again', async () => {
    const session = await at.open({ bulk });
    await at.post('bulk', { stuck: true });
    const results = await session.deliver(people(6));
    expect(results.filter(({ outcome }) => outcome === 'sent')).toHaveLength(3);
    expect(results.find(({ outcome }) => outcome === 'retry')!.answer).toBe('not processed: the job ended as Aborted');
    expect(clock.waits.at(-1)).toBe(15_000);
    expect(at.seen().jobs).toEqual([]);
  });

  test('a look that fails costs that look, not the job', async () => {
    const session = await at.open({ bulk });
    at.stub.setFaults([
      { path: '/jobs/ingest/[^/]+$', method: 'GET', count: 1, status: 503 },
      { path: '/jobs/ingest/[^/]+$', method: 'GET', count: 1, reset: true },
    ]);
    expect(set(await outcomes(session.deliver(people(3))))).toEqual(['sent']);
    expect(at.asked().filter((one) => one.startsWith('POST'))).toHaveLength(1);
  });

  test.each([
    ['the answer to the creation', { method: 'POST', path: '/jobs/ingest$', when: 'after' as const, reset: true }],
    ['the upload', { method: 'PUT', reset: true }],
    ['the answer to the upload', { method: 'PUT', when: 'after' as const, reset: true }],
    ['the answer to the end of the upload', { method: 'PATCH', when: 'after' as const, reset: true }],
    ['half of the results', { method: 'GET', path: 'successfulResults', kind: 'partial' as const }],
    ['results with other columns', { method: 'GET', path: 'failedResults', kind: 'body' as const, body: 'a,b\n1,2\n' }],
    ['results that are no CSV', { method: 'GET', path: 'failedResults', kind: 'body' as const, body: '"sf__Id,"x"' }],
  ])('%s is lost: the batch is tried again, and no job of the first attempt is left at work', async (_what, fault) => {
    const session = await at.open({ bulk });
    const items = [...people(4), ...joined(4)];
    at.stub.setFaults([{ ...fault, count: 1 }]);
    await expect(session.deliver(items)).rejects.toBeInstanceOf(Unavailable);
    expect(set(await outcomes(session.deliver(items)))).toEqual(['sent']);
    expect(at.seen().contacts).toHaveLength(4);
    expect(at.seen().enrolments).toHaveLength(4);
    expect(at.seen().jobs.filter(({ state }) => /UploadComplete|InProgress/.test(state))).toEqual([]);
  });

  test('the DELETE that fails is no failure', async () => {
    const session = await at.open({ bulk });
    at.stub.setFaults([{ method: 'DELETE', status: 500 }]);
    expect(set(await outcomes(session.deliver(people(3))))).toEqual(['sent']);
    expect(at.seen().jobs).toMatchObject([{ state: 'JobComplete' }]);
  });

  test('results that do not speak of a row leave it to be tried again', async () => {
    const session = await at.open({ bulk });
    const body = 'sf__Created,ROSTERD_ACCOUNT__C,sf__Id\ntrue,9500000001,003A\ntrue,9599999999,003B\n';
    at.stub.setFaults([{ path: 'successfulResults', kind: 'body', body }]);
    const results = await session.deliver(people(3));
    expect(results.map(({ outcome }) => outcome)).toEqual(['retry', 'sent', 'retry']);
    expect(results[1]!.answer).toBe('created 003A');
  });

  test('a row that is failed for too many locks is tried again; one that a trigger refuses is not', async () => {
    const session = await at.open({ bulk });
    const failed = [
      'sf__Error,Rosterd_Account__c',
      '"TooManyLockFailure:Too many lock failure 200 Trying again later.:--",9500000001',
      '"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:hed.TDTM_Contact: execution of BeforeInsert\n\ncaused by: no such Account:--",9500000002',
      '',
    ].join('\n');
    at.stub.setFaults([
      {
        path: 'successfulResults',
        kind: 'body',
        body: 'sf__Created,sf__Id,Rosterd_Account__c\ntrue,003A,9500000000\n',
      },
      { path: 'failedResults', kind: 'body', body: failed },
    ]);
    expect(await outcomes(session.deliver(people(3)))).toEqual(['sent', 'retry', 'failed']);
  });

  test('a session that ends in the middle is renewed', async () => {
    const session = await at.open({ bulk });
    await session.deliver(people(1));
    await at.post('expire-tokens');
    expect(set(await outcomes(session.deliver(people(5))))).toEqual(['sent']);
  });
});

describe('jobs of a process that died', () => {
  const call = async (method: string, path: string, body?: object | string) => {
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'a', client_secret: 'b' });
    const login = await fetch(`${at.stub.url}/services/oauth2/token`, { method: 'POST', body: form });
    const { access_token } = (await login.json()) as { access_token: string };
    const answer = await fetch(`${at.stub.url}/services/data/v62.0/jobs/ingest${path}`, {
      method,
      headers: {
        authorization: `Bearer ${access_token}`,
        'content-type': typeof body === 'string' ? 'text/csv' : 'application/json',
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return (answer.status === 200 ? await answer.json() : {}) as { id: string };
  };
  const left = async (externalIdFieldName: string) => {
    const { id } = await call('POST', '', { object: 'Contact', operation: 'upsert', externalIdFieldName });
    await call('PUT', `/${id}/batches`, `${externalIdFieldName},LastName,Rosterd_Status__c\n9500000001,Old,Active\n`);
    await call('PATCH', `/${id}`, { state: 'UploadComplete' });
    return id;
  };

  test('are aborted before anything newer is written, on every page of the list; those of others are let alone', async () => {
    await at.post('bulk', { page: 1 });
    const others = await left('Legacy_Id__c');
    const ours = await left('Rosterd_Account__c');
    const session = await at.open({ bulk });
    const leaver = item('account.disable', 1);
    expect(await outcomes(session.deliver([leaver]))).toEqual(['sent']);
    const { jobs, contacts } = at.seen();
    const ada = contacts.filter((row) => row['Rosterd_Account__c'] === '9500000001');
    expect(ada).toMatchObject([{ Rosterd_Status__c: 'Disabled', LastName: 'Byron' }]);
    expect(jobs.map(({ id }) => id)).toEqual([others]);
    expect(jobs[0]!.state).not.toBe('Aborted');
    expect(await call('GET', `/${ours}`)).toEqual({});
  });
});

test('a preview is what is sent, byte for byte', async () => {
  const chosen = at.settings({ bulk: { ...bulk, jobSize: '1KB' } });
  const items = [...people(12), ...joined(12), item('account.update', 3, { lastName: 'Ng' })];
  const shown = salesforce.preview(chosen, at.context, items);
  const session = await salesforce.open(chosen, at.context);
  await session.deliver(items);
  const steps = at.stub
    .requests()
    .filter(({ method, url }) => method !== 'GET' && method !== 'DELETE' && /data/.test(url));
  const bytes = (text: Uint8Array | null): string =>
    createHash('sha256')
      .update(text ?? '')
      .digest('hex');
  expect(steps.map(({ method, url, sha256 }) => [method, url.replace(/750\w+/, '{job}'), sha256])).toEqual(
    shown.map(({ method, url, body }) => [method, decodeURI(new URL(url).pathname), bytes(body)]),
  );
  expect(steps.map(({ headers }) => headers['content-type'])).toEqual(
    shown.map(({ headers }) => headers['content-type']),
  );
  expect(shown.flatMap(({ items }) => items).sort()).toEqual(items.map(({ item }) => item).sort());
  expect(JSON.stringify(shown)).not.toContain('s3cret');
});
