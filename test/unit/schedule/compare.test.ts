import { expect, test } from 'vitest';
import { Secret } from '../../../src/base/secret.ts';
import type { Config } from '../../../src/configure/config.ts';
import { compareConfigs, liveConfig, same } from '../../../src/schedule/compare.ts';
import { load } from '../configure/sample.ts';

const base = `version: 1
institution: example-university
stateDir: /var/lib/rosterd
roster: { departments: { include: [a] } }
sources:
  sis:
    kind: drop
    from: sftp://example
    password: { env: SFTP }
    format: unitu
    schedule: '0 2 * * *'
  hr:
    kind: drop
    from: /drops
    format: unitu
targets:
  lms: { kind: wire, url: 'https://x.example', account: 1, token: { env: TOKEN } }
`;
const changed = (from: string, to: string): Config => {
  expect(base).toContain(from);
  return load(base.replace(from, to));
};
const config = (text: string): Config => ({ ...load(text), file: 'rosterd.yaml' });

test('the same file again differs in nothing', () => {
  expect(compareConfigs(load(base), load(base))).toEqual({ live: [], restart: [] });
});

test.each<[string, string, string[]]>([
  ["schedule: '0 2 * * *'", "schedule: '0 3 * * *'", ['sources.sis.schedule changed']],
  ["    schedule: '0 2 * * *'\n", '', ['sources.sis.schedule changed']],
  [
    "'0 2 * * *'",
    "'0 2 * * *'\n    jitter: 5m\n    freshness: 1d",
    ['sources.sis.jitter changed', 'sources.sis.freshness changed'],
  ],
  ["'0 2 * * *'", "'0 2 * * *'\n    timezone: Asia/Tokyo", ['sources.sis.timezone changed']],
  [
    "'0 2 * * *'",
    "'0 2 * * *'\n    enabled: false\n    dryRun: true",
    ['sources.sis.enabled changed', 'sources.sis.dryRun changed'],
  ],
  ["'0 2 * * *'", "'0 2 * * *'\n    guards: { removals: { percent: 3 } }", ['sources.sis.limits changed']],
  ['{ env: SFTP }', '{ env: OTHER }', ['sources.sis.password changed']],
  [
    '    password: { env: SFTP }\n',
    '    privateKey: { env: SFTP }\n',
    ['sources.sis.password removed', 'sources.sis.privateKey added'],
  ],
  ['from: /drops', 'from: /elsewhere', ['sources.hr.from changed']],
  ['from: /drops', 'from: /drops\n    settle: 20s', ['sources.hr.settle changed']],
  ['  hr:\n', '  staff:\n', ['sources.hr removed', 'sources.staff added']],
  ['account: 1', 'account: 2', ['targets.lms.account changed']],
  ['{ env: TOKEN }', '{ file: /token }', ['targets.lms.token changed']],
  ['account: 1', 'account: 1, enabled: false', ['targets.lms.enabled changed']],
  ['  lms:', '  lms2:', ['targets.lms removed', 'targets.lms2 added']],
  ['include: [a]', 'include: [b]', ['roster.departments changed']],
  [
    'version: 1\n',
    'version: 1\nguards: { removals: { atLeast: 0 } }\n',
    ['sources.sis.limits changed', 'sources.hr.limits changed'],
  ],
  ['version: 1\n', 'version: 1\nretention: { runs: 10 }\n', ['retention.runs changed']],
  [
    'version: 1\n',
    'version: 1\nservice: { concurrency: 3, retry: { openAfter: 2 } }\n',
    ['service.concurrency changed', 'service.retry changed'],
  ],
])('%j → %j is live', (from, to, differences) => {
  const { live, restart } = compareConfigs(load(base), changed(from, to));
  expect(live.map(({ path, what }) => `${path} ${what}`)).toEqual(differences);
  expect(restart).toEqual([]);
});

test.each<[string, string, string[]]>([
  ['example-university', 'another', ['institution changed']],
  // the default socket is in it
  ['/var/lib/rosterd', '/srv/rosterd', ['stateDir changed', 'control.socket changed']],
  ['version: 1\n', 'version: 1\ncontrol: { socket: /run/other.sock }\n', ['control.socket changed']],
  [
    'version: 1\n',
    'version: 1\nstore: { kind: mongodb, uri: mongodb://db }\n',
    ['store.kind changed', 'store.uri added', 'store.database added'],
  ],
])('%j → %j takes a restart', (from, to, differences) => {
  const before = load(base);
  const after = changed(from, to);
  const { live, restart } = compareConfigs(before, after);
  expect(restart.map(({ path, what }) => `${path} ${what}`)).toEqual(expect.arrayContaining(differences));
  expect(live).toEqual([]);
  // nothing of it is in force
  expect(compareConfigs(before, liveConfig(before, after))).toEqual({ live: [], restart: [] });
});

test('the order of sources is their precedence, and a change', () => {
  const [head, sources, tail] = [base.indexOf('  sis:'), base.indexOf('  hr:'), base.indexOf('targets:')];
  const turned = base.slice(0, head) + base.slice(sources, tail) + base.slice(head, sources) + base.slice(tail);
  expect(compareConfigs(load(base), load(turned)).live).toEqual([{ path: 'sources (their order)', what: 'changed' }]);
});

test('both kinds at once, and the live part of it', () => {
  const after = config(base.replace('example-university', 'another').replace("'0 2 * * *'", "'0 4 * * *'"));
  const live = liveConfig(config(base), after);
  expect([live.institution, live.sources[0]!.schedule]).toEqual(['example-university', '0 4 * * *']);
});

test('values that JSON does not show are told apart', () => {
  expect(same(new Secret({ env: 'A' }), new Secret({ env: 'A' }))).toBe(true);
  expect(same(new Secret({ env: 'A' }), new Secret({ env: 'B' }))).toBe(false);
  expect(same(/a/, /a/i)).toBe(false);
  expect(same(new Map([[1, 2]]), new Map([[1, 3]]))).toBe(false);
  expect(same(new Set([1]), new Set([1]))).toBe(true);
  const [one, other] = [1, 2].map((n) => () => n);
  expect(same({ f: one }, { f: one })).toBe(true);
  expect(same({ f: one }, { f: other })).toBe(false);
});
