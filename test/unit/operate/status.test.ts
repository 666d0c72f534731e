import { expect, test } from 'vitest';
import type { StatusBody } from '../../../src/operate/control/api.ts';
import type { Screen } from '../../../src/operate/screen.ts';
import { printStatus } from '../../../src/operate/service-commands.ts';

/** What `status` says to a person. */

const since = '2026-01-15T02:00:00.000Z';
const closed = { state: 'closed', failures: 0, notBefore: null, retryAt: null, failure: null } as const;
const lane = { enabled: true, breaker: closed, next: null, running: null, waiting: [] };

function printed(more: Partial<StatusBody>): string {
  const lines: string[] = [];
  const screen: Screen = { human: true, say: (text = '') => lines.push(text), json: () => {} };
  const about = {
    state: 'running',
    reason: null,
    since,
    pid: 1,
    version: '0.1.0',
    config: 'c',
    configDigest: 'f'.repeat(64),
    reloadRefused: null,
    healthy: true,
  } as const;
  printStatus(screen, {
    ...{ service: about, store: { state: 'answers' }, atWork: [] },
    sources: [
      {
        ...{ ...lane, name: 'sis', schedule: '15 2 * * *', timezone: 'UTC', freshness: { state: 'never' } },
        ...{ next: '2026-01-16T02:15:00.000Z', lastRun: null, held: null },
      },
    ],
    targets: [
      { ...lane, name: 'crm', queue: { queued: 3, processing: 1, sent: 0, failed: 2 }, paused: null, moved: null },
    ],
    ...more,
  });
  return lines.join('\n');
}

test('a store that answers is nothing to talk about', () => {
  const text = printed({});
  expect(text).not.toContain('store');
  expect(text).toMatch(/sis +2026-01-16 02:15 UTC +none yet +idle/);
  expect(text).toMatch(/crm +4 +2 +0 +idle/);
});

test('without a store it says why, and what cannot be told', () => {
  const error = { kind: 'Unavailable', message: 'no MongoDB answers at mongodb://db/rosterd: connect ECONNREFUSED' };
  const failed = {
    state: 'open',
    failures: 5,
    notBefore: '2026-01-15T03:15:00.000Z',
    retryAt: '2026-01-15T03:15:00.000Z',
    failure: { kind: 'Unavailable', message: 'no answer' },
  } as const;
  const text = printed({
    store: { state: 'away', since, error },
    sources: [
      {
        ...{ ...lane, name: 'sis', schedule: '15 2 * * *', timezone: 'UTC', breaker: failed },
        ...{ freshness: { state: 'unknown' }, next: '2026-01-15T03:15:00.000Z', lastRun: null, held: null },
      },
    ],
    targets: [{ ...lane, name: 'crm', queue: null, paused: null, moved: null }],
  });
  expect(text).toContain(`the store is away since 2026-01-15 02:00 UTC: ${error.message}`);
  expect(text).toContain('not known until it answers: last runs, what waits for a person, queues and pauses (?)');
  expect(text).toMatch(/sis +2026-01-15 03:15 UTC +\? +\? +\? +left alone until$/m);
  expect(text).toMatch(/crm +\? +\? +\? +idle/);
});

test('what is stuck is said with how long', () => {
  const about = {
    state: 'running',
    reason: null,
    since,
    pid: 1,
    version: '0.1.0',
    config: 'c',
    configDigest: 'f'.repeat(64),
    reloadRefused: null,
    healthy: false,
  } as const;
  const atWork = [
    { who: 'source sis', text: '1 records', quietMs: 125_000 },
    { who: 'source hr', text: '', quietMs: 61_000 },
    { who: 'target crm', text: '10 sent, 0 failed', quietMs: 59_000 },
  ];
  const text = printed({ service: about, atWork });
  expect(text).toContain('something makes no progress; the watchdog is not fed');
  expect(text).toContain('source sis: 1 records (nothing new for 2 min)');
  expect(text).toContain('source hr (nothing new for 1 min)');
  expect(text).toMatch(/target crm: 10 sent, 0 failed$/m);
});

test('a target that has moved says from where to where, in place of the deliveries that failed over it', () => {
  const moved = { from: 'salesforce at https://sandbox.example.edu', to: 'salesforce at https://crm.example.edu' };
  const text = printed({
    targets: [{ ...lane, name: 'crm', queue: { queued: 3, processing: 0, sent: 9, failed: 0 }, paused: null, moved }],
  });
  expect(text).toContain('sandbox.example.edu');
  expect(text.replace(/\s+/g, ' ')).toMatch(/crm 3 0 9 gets nothing.*rosterd queue moved/);
});
