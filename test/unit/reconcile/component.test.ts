import { expect, test } from 'vitest';
import { gatherComponents } from '../../../src/reconcile/component.ts';
import { account, evidenceOf, quarantined, row } from './make.ts';

const none: ReadonlySet<string> = new Set();

test('everything that hangs together by any key is one component, over any number of steps', async () => {
  const evidence = evidenceOf({
    rows: [
      row({ id: 'a', email: '1@x.edu' }),
      row({ id: 'b', email: '2@x.edu', gone: true, source: 'hr' }),
      row({ number: '9500000009', email: '3@x.edu' }),
      row({ id: 'z', email: 'z@x.edu' }),
    ],
    accounts: [
      account({ account: '9500000001', id: 'b', email: '1@x.edu' }),
      account({ account: '9500000009', id: null, email: '2@x.edu' }),
    ],
  });
  const found = await gatherComponents(['i:a'], none, evidence, none);
  expect(found.length).toBe(1);
  expect(found[0]!.component.rows.map((one) => one.hints.email).sort()).toEqual(['1@x.edu', '2@x.edu', '3@x.edu']);
  expect(found[0]!.component.accounts.map((one) => one.account)).toEqual(['9500000001', '9500000009']);
  expect([...found[0]!.keys].sort()).toEqual([
    'e:1@x.edu',
    'e:2@x.edu',
    'e:3@x.edu',
    'i:a',
    'i:b',
    'n:9500000001',
    'n:9500000009',
  ]);
});

test('a quarantined row belongs to whom its readable part names, and one that could be anybody to nobody', async () => {
  const rows = [row({ id: 'a' }), quarantined({ email: 'ann@x.edu' }), quarantined({})];
  const [found, ...others] = await gatherComponents(['i:a'], none, evidenceOf({ rows }), none);
  expect(found!.component.rows.length).toBe(2);
  expect(others).toEqual([]);
});

test('people who have nothing in common stay apart, in the order of their smallest keys', async () => {
  const rows = [row({ id: 'b', email: 'k@x.edu' }), row({ id: 'a', email: 'm@x.edu' }), row({ email: 'c@x.edu' })];
  const found = await gatherComponents(['i:a', 'i:b', 'e:c@x.edu', 'i:nobody'], none, evidenceOf({ rows }), none);
  expect(found.map(({ component }) => component.rows.map((one) => one.hints.email))).toEqual([
    ['c@x.edu'],
    ['k@x.edu'],
    ['m@x.edu'],
  ]);
});

test('rows of one entry are as many as it has courses, also when one of them is in quarantine', async () => {
  const origin = { source: 'ad', snapshot: 1, file: 'cn=ann,dc=x', line: 0 };
  const rows = [
    ...['C1', 'C2', 'C3'].map((course) => row({ id: 'a', course, source: 'ad' })),
    quarantined({ id: 'a', source: 'ad' }),
  ].map((one) => ({ ...one, origin }));
  // asked for under two keys, each is found twice
  const [found] = await gatherComponents(['i:a', 'e:ann@x.edu'], none, evidenceOf({ rows }), none);
  expect(found!.component.rows.map(({ record }) => record?.course).sort()).toEqual(['C1', 'C2', 'C3', undefined]);
});

test('a component knows which of its keys are the own ones, and who has unfinished business with it', async () => {
  const evidence = evidenceOf({
    rows: [row({ id: 'a' })],
    pending: { 'e:ann@x.edu': ['hr'], 'i:a': ['guests', 'hr'], 'i:z': ['other'] },
  });
  const [found] = await gatherComponents(['i:a'], new Set(['i:a', 'i:z']), evidence, none);
  expect([...found!.component.touched]).toEqual(['i:a']);
  expect(found!.component.pendingElsewhere).toEqual(['guests', 'hr']);
});

test('rows come in the order of source, snapshot and line, whatever order the store gives', async () => {
  const rows = [row({ id: 'a', source: 'sis' }), row({ id: 'a', source: 'sis' }), row({ id: 'a', source: 'hr' })];
  const places = async (its: typeof rows) => {
    const [found] = await gatherComponents(['i:a'], none, evidenceOf({ rows: its }), none);
    return found!.component.rows.map(({ origin }) => `${origin.source} ${origin.line}`);
  };
  const [first, second, third] = rows;
  const expected = [third!, first!, second!].map(({ origin }) => `${origin.source} ${origin.line}`);
  expect(await places(rows)).toEqual(expected);
  expect(await places(rows.toReversed())).toEqual(expected);
});

test('no key is asked for twice', async () => {
  const evidence = evidenceOf({ rows: [row({ id: 'a' }), row({ id: 'a', email: '2@x.edu' })] });
  await gatherComponents(['i:a', 'e:ann@x.edu', 'i:a'], none, evidence, none);
  const asked = evidence.asked.flat();
  expect(new Set(asked).size).toBe(asked.length);
  expect(evidence.asked.length).toBe(2);
});
