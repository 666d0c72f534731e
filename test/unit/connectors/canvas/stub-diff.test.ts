import { zipSync } from 'fflate';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Stub } from '../../../../src/connector/stub.ts';
import { canvasStubOfTest, stateOf } from '../../../support/canvas.ts';

/** Data sets, deletions and parameters: what the stub of Canvas does with an import beyond its rows, seen from outside. */

let stub: Stub;
beforeEach(async () => {
  stub = await canvasStubOfTest();
});

// biome-ignore lint/suspicious/noExplicitAny: the shapes are what these tests are about
type Json = any;
const authorization = 'Bearer a-token';

async function post(query: string, files: Record<string, string>): Promise<{ status: number; body: Json }> {
  const entries = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
  const answer = await fetch(`${stub.url}/api/v1/accounts/1/sis_imports?extension=zip&${query}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/zip' },
    body: new Uint8Array(zipSync(entries, { level: 0 })),
  });
  return { status: answer.status, body: await answer.json() };
}

/** Imports files and waits until that has ended. */
async function load(query: string, files: Record<string, string>): Promise<Json> {
  const { body } = await post(query, files);
  for (;;) {
    const url = `${stub.url}/api/v1/accounts/1/sis_imports/${body.id}`;
    const seen = (await (await fetch(url, { headers: { authorization } })).json()) as Json;
    if (!['created', 'importing'].includes(seen.workflow_state)) return seen;
  }
}

const users = (...rows: string[]) => ({ 'users.csv': ['user_id,login_id,status', ...rows].join('\n') });
const enrolments = (...rows: string[]) => ({
  'e.csv': ['course_id,user_id,role,status', ...rows].join('\n'),
  'c.csv': 'course_id,short_name,long_name,status\nC1,c,c,active',
});
const set = 'diffing_data_set_identifier=x';
const statuses = () => Object.fromEntries(stateOf(stub).users.map(({ user_id, status }) => [user_id, status]));

describe('a data set', () => {
  test('is compared with its last import: new and other rows are imported, missing ones deleted', async () => {
    const first = await load(set, users('U1,l1,active', 'U2,l2,active', 'U3,l3,active'));
    expect(first).toMatchObject({ diffing_data_set_identifier: 'x', diffing_remaster: false });
    expect(first.data).not.toHaveProperty('diffed_against_sis_batch_id');
    const second = await load(set, users('U1,l1,active', 'U2,l2,suspended', 'U4,l4,active'));
    expect(second).toMatchObject({
      diffed_against_import_id: null,
      diffing_threshold_exceeded: false,
      data: { diffed_against_sis_batch_id: 1, counts: { users: 3 } },
    });
    expect(statuses()).toEqual({ U1: 'active', U2: 'suspended', U3: 'deleted', U4: 'active' });
    const same = await load(set, users('U1,l1,active', 'U2,l2,suspended', 'U4,l4,active'));
    expect(same).toMatchObject({ workflow_state: 'imported', data: { counts: { users: 0 } } });
  });

  test('users and enrolments that are missing become what was asked for', async () => {
    const asked = `${set}&diffing_user_remove_status=suspended&diffing_drop_status=completed`;
    await load(asked, { ...users('U1,l1,active', 'U2,l2,active'), ...enrolments('C1,U1,student,active') });
    await load(asked, { ...users('U1,l1,active'), ...enrolments() });
    expect(statuses()).toEqual({ U1: 'active', U2: 'suspended' });
    expect(stateOf(stub).enrollments).toMatchObject([{ status: 'completed' }]);
  });

  test('a row that was refused is in the set, and is not looked at again before a remaster', async () => {
    await load(set, users('U1,l1,active'));
    expect((await load(set, users('U1,l1,active', 'U2,l1,active'))).workflow_state).toBe('imported_with_messages');
    await load('', users('U1,other,active'));
    await load(set, users('U1,l1,active', 'U2,l1,active', 'U3,l3,active'));
    expect(Object.keys(statuses())).toEqual(['U1', 'U3']);
    const remaster = await load(`${set}&diffing_remaster_data_set=1`, users('U2,l1,active'));
    expect(remaster).toMatchObject({ diffing_remaster: true, diffing_threshold_exceeded: null });
    // and a remaster removes nobody
    expect(statuses()).toEqual({ U1: 'active', U2: 'active', U3: 'active' });
  });

  test('rows of a compared import are counted in the difference', async () => {
    await load(set, users('U1,l1,active', 'U2,l2,active'));
    await load(set, users('U1,l1,active', 'U2,l2,active', 'U3,l1,active'));
    const answer = await fetch(`${stub.url}/api/v1/accounts/1/sis_imports/2/errors`, { headers: { authorization } });
    expect(((await answer.json()) as Json).sis_import_errors).toMatchObject([{ row: 2, row_info: 'U3,l1,active' }]);
  });

  test('over a threshold everything is applied, nothing deleted, and nothing compared with it later', async () => {
    await load(set, users('U1,l1,active', 'U2,l2,active', 'U3,l3,active'));
    const half = await load(`${set}&change_threshold=5`, users('U4,l4,active'));
    expect(half).toMatchObject({ workflow_state: 'imported_with_messages', diffing_threshold_exceeded: true });
    expect(half.processing_warnings).toEqual([
      ['', 'Diffing not performed because file size difference exceeded threshold'],
    ]);
    const rows = await load(`${set}&diff_row_count_threshold=1`, users('U1,l1,active'));
    expect(rows.processing_warnings[0][1]).toBe(
      'Diffing not performed because difference row count exceeded threshold',
    );
    expect(Object.values(statuses())).toEqual(['active', 'active', 'active', 'active']);
    expect((await load(set, users('U1,l1,active'))).data.diffed_against_sis_batch_id).toBe(1);
    expect(statuses()).toMatchObject({ U2: 'deleted', U3: 'deleted', U4: 'active' });
  });

  test('after five in a row over a threshold it has to be remastered', async () => {
    await load(set, users('U1,l1,active', 'U2,l2,active', 'U3,l3,active'));
    for (let time = 0; time < 5; time += 1) await load(`${set}&change_threshold=5`, users('U1,l1,active'));
    const worn = await load(set, users('U1,l1,active', 'U2,l2,active', 'U3,l3,active'));
    expect(worn.diffing_threshold_exceeded).toBe(true);
    await load(`${set}&diffing_remaster_data_set=1`, users('U1,l1,active'));
    expect((await load(set, users('U1,l1,active'))).data.diffed_against_sis_batch_id).toBe(8);
  });

  test('other headers are not compared, the order of columns does not matter', async () => {
    await load(set, users('U1,l1,active', 'U2,l2,active'));
    const turned = await load(set, { 'users.csv': 'status,login_id,user_id\nactive,l1,U1\nactive,l2,U2\n' });
    expect(turned.data.counts.users).toBe(0);
    const more = await load(set, { 'users.csv': 'user_id,login_id,status,email\nU1,l1,active,\n' });
    expect(more.processing_warnings).toEqual([
      ['users.csv', "Couldn't generate diff: CSV headers do not match, cannot diff"],
    ]);
    expect(statuses()).toEqual({ U1: 'active', U2: 'active' });
  });

  test('two files of a type are told apart by their names, or not compared', async () => {
    const one = 'user_id,login_id,status\nU1,l1,active';
    const two = 'user_id,login_id,status\nU2,l2,active';
    await load(set, { 'a.csv': one, 'b.csv': two });
    expect((await load(set, { 'a.csv': one, 'b.csv': two })).data.counts.users).toBe(0);
    const merged = await load(set, users('U1,l1,active'));
    expect(merged.processing_warnings[0][1]).toMatch(/^Unable to perform diffing against mismatched/);
    expect(statuses()).toEqual({ U1: 'active', U2: 'active' });
  });
});

test('skip_deletes passes over good rows that delete', async () => {
  await load('', { ...users('U1,l1,active', 'U2,l2,active'), ...enrolments('C1,U1,student,active') });
  const skipped = await load('skip_deletes=true', {
    ...users('U1,l1,deleted', 'U2,l2,suspended', ',l3,deleted'),
    ...enrolments('C1,U1,student,deleted'),
    'c.csv': 'course_id,short_name,long_name,status\nC1,c,c,deleted',
  });
  expect(skipped).toMatchObject({ skip_deletes: true, workflow_state: 'imported_with_messages' });
  expect(statuses()).toEqual({ U1: 'active', U2: 'suspended' });
  expect(stateOf(stub)).toMatchObject({
    courses: [{ workflow_state: 'unpublished' }],
    enrollments: [{ status: 'active' }],
  });
});

test('a deleted course or section takes its enrolments along', async () => {
  await load('', { ...users('U1,l1,active'), ...enrolments('C1,U1,student,active') });
  await load('', { 'c.csv': 'course_id,short_name,long_name,status\nC1,c,c,deleted' });
  expect(stateOf(stub).enrollments).toMatchObject([{ status: 'deleted' }]);
});

describe('parameters', () => {
  test.each([
    ['batch_mode=1', 400, 'Batch mode specified, but the given batch_mode_term_id cannot be found.'],
    ['batch_mode=1&batch_mode_term_id=nope', 400, 'Batch mode specified'],
    ['multi_term_batch_mode=1', 400, 'change_threshold is required to use multi term_batch mode.'],
    ['diffing_drop_status=gone', 400, 'Invalid diffing_drop_status'],
    ['diffing_user_remove_status=inactive', 400, 'Invalid diffing_user_remove_status'],
    [`diffing_data_set_identifier=${'x'.repeat(129)}`, 400, 'too_long'],
    ['multi_term_batch_mode=1&change_threshold=5', 501, 'multi_term_batch_mode'],
  ])('%s: %i', async (query, status, words) => {
    const refused = await post(query, users());
    expect(refused.status).toBe(status);
    expect(JSON.stringify(refused.body)).toContain(words);
    expect(stateOf(stub).imports).toEqual([]);
  });

  test('batch mode for a term that is there would delete, and is refused loudly', async () => {
    await load('', { 't.csv': 'term_id,name,status\nT1,Fall,active' });
    expect((await post('batch_mode=1&batch_mode_term_id=sis_term_id:T1', users())).status).toBe(501);
  });

  test('stickiness: the two others count only with override', async () => {
    const add = await post('add_sis_stickiness=1', users());
    expect(add.body).toMatchObject({ override_sis_stickiness: null, add_sis_stickiness: null });
    const both = await post('override_sis_stickiness=1&clear_sis_stickiness=1', users());
    expect(both.body).toMatchObject({ override_sis_stickiness: true, clear_sis_stickiness: true });
  });
});

test('throttling refuses in plain text, and shows no cost then', async () => {
  const look = () => fetch(`${stub.url}/api/v1/accounts/1`, { headers: { authorization } });
  const set = (body: object) =>
    fetch(`${stub.url}/_stub/throttle`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await set({ highWater: 100, cost: 60, outflow: 0.001 })).status).toBe(200);
  const let1 = await look();
  expect([let1.headers.get('x-request-cost'), Math.round(Number(let1.headers.get('x-rate-limit-remaining')))]).toEqual([
    '60',
    40,
  ]);
  await look();
  const refused = await look();
  expect([refused.status, refused.headers.get('content-type'), refused.headers.get('x-request-cost')]).toEqual([
    403,
    'text/plain; charset=utf-8',
    null,
  ]);
  expect(await refused.text()).toBe('403 Forbidden (Rate Limit Exceeded)\n');
  expect((await set({ colour: 'blue' })).status).toBe(400);
});
