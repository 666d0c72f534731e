import { describe, expect, it } from 'vitest';
import { printRun, runJson, standOf } from '../../../src/operate/report.ts';
import type { Screen } from '../../../src/operate/screen.ts';
import type { Run } from '../../../src/store/port.ts';

const digest = 'd'.repeat(64);
const run = (changes: Partial<Run> = {}): Run => ({
  run: '20260921-021500-sis-students-a1b2c3',
  source: 'sis-students',
  trigger: 'cli',
  dryRun: false,
  status: 'applied',
  startedAt: '2026-09-21T02:15:00.000Z',
  endedAt: '2026-09-21T02:15:01.000Z',
  durationMs: 1234,
  snapshot: { id: 'sis-students-2', complete: true, records: 4444, quarantined: 0 },
  quarantine: [],
  plan: '20260921-021500-sis-students-a1b2c3',
  digest,
  changes: {},
  guards: [],
  heldTypes: [],
  conflicts: 0,
  blocked: 0,
  courses: { new: [], vanished: [] },
  decision: null,
  error: null,
  ...changes,
});
const passed = { guard: 'disables.percent', measured: 0, limit: 10, held: false, text: '0 of 10 accounts' };
const held = { guard: 'disables.window', measured: 50, limit: 25, held: true, text: '5 of 10 accounts' };

function printed(changes: Partial<Run>): string {
  const lines: string[] = [];
  const screen: Screen = { human: true, say: (text = '') => lines.push(text), json: () => {} };
  printRun(screen, run(changes));
  return lines.join('\n');
}

describe('a run for a person', () => {
  it('says what came and what each change means', () => {
    const text = printed({ changes: { 'account.disable': 1475, 'course.create': 1 } });
    expect(text).toContain('4,444 records, 0 rows in quarantine');
    expect(text).toMatch(
      /course\.create +1 {2}a new course\n {2}account\.disable +1,475 {2}somebody is gone; disabled/,
    );
  });

  it('tells guards that were measured, and folds those that had nothing to measure', () => {
    expect(printed({ guards: [passed] })).toContain('passed  all guards: nothing is taken from anybody');
    const text = printed({ guards: [passed, held] });
    expect(text).toContain('held    5 of 10 accounts');
    expect(text).not.toContain('0 of 10 accounts\n');
  });

  it('offers no approval of what a newer run has replaced, and tells it from what waits', () => {
    const waited = run({ status: 'held', heldTypes: ['account.disable'], changes: { 'account.disable': 5 } });
    expect(standOf(waited, new Set([waited.run]))).toBe('held');
    expect(standOf(waited, new Set(['another']))).toBe('replaced');
    // a daemon that does not say which one waits, and one that a person has decided about
    expect(standOf(waited, null)).toBe('held');
    const decision = { verdict: 'rejected', at: waited.startedAt } as const;
    expect(standOf({ ...waited, decision }, new Set())).toBe('held');
    const lines: string[] = [];
    const screen: Screen = { human: true, say: (text = '') => lines.push(text), json: () => {} };
    printRun(screen, waited, 'FILE', 'hidden', 'replaced');
    expect(lines.join('\n')).toMatch(/sis-students {2}replaced/);
    expect(lines.join('\n')).not.toMatch(/approve|waits for/);
  });

  it('gives the commands for what waits, each on lines that fit', () => {
    const text = printed({ status: 'held', heldTypes: ['account.disable'], changes: { 'account.disable': 5 } });
    expect(text).toMatch(/account\.disable +5 {2}waits for a person/);
    expect(text).toContain(`approve ${run().run} -c FILE \\\n      --digest ${digest}`);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const decision = { verdict: 'rejected' as const, at: '2026-09-21T09:00:00.000Z' };
    expect(printed({ status: 'held', heldTypes: ['account.disable'], decision })).not.toContain('--digest');
  });

  it('names what is in quarantine and in doubt', () => {
    const row = { file: '/var/drops/students.csv', line: 1340, column: 'email', reason: 'email is not an address' };
    const snapshot = { ...run().snapshot, quarantined: 25 };
    const text = printed({ snapshot, quarantine: Array.from({ length: 25 }, () => row), blocked: 1, conflicts: 2 });
    expect(text).toMatch(/students\.csv +1340 +email +email is not an address/);
    expect(text).toContain('25 rows in all');
    expect(text).toContain('one person may have left');
    expect(text).toContain('2 people in conflict');
  });

  it('lists courses, at most ten of a kind', () => {
    const names = Array.from({ length: 12 }, (_, at) => `Science / Physics / Course ${at}`);
    const text = printed({ courses: { new: names, vanished: [names[0]!] } });
    expect(text).toContain('new courses (12)');
    expect(text).toContain('… and 2 more');
    expect(text).toContain('vanished courses (1)');
  });

  it('says that it looked at an old answer', () => {
    const text = printed({ snapshot: { ...run().snapshot, complete: false } });
    expect(text).toContain('nothing new to read: its last answer, under rules that were edited');
    expect(text).not.toContain('4,444 records');
  });

  it('says why it failed', () => {
    const error = { kind: 'Incomplete', message: 'no file matches' };
    expect(printed({ status: 'failed', error, snapshot: { ...run().snapshot, complete: false } })).toContain(
      'Incomplete: no file matches',
    );
  });
});

describe('a run for a script', () => {
  it('has the shape of the design, and only guards that hold', () => {
    expect(runJson(run({ guards: [passed, held], changes: { 'account.create': 3 } }))).toMatchObject({
      run: run().run,
      source: 'sis-students',
      trigger: 'cli',
      dryRun: false,
      status: 'applied',
      snapshot: { id: 'sis-students-2', complete: true, records: 4444, quarantined: 0 },
      plan: { digest, changes: { 'account.create': 3 } },
      guards: [{ guard: 'disables.window', measured: 50, limit: 25 }],
      courses: { new: [], vanished: [] },
      error: null,
      durationMs: 1234,
    });
  });

  it('counts a change of kind as the update that it is, and says when it waits', () => {
    const changes = { 'account.update': 2, 'account.kind': 40 };
    expect(runJson(run({ changes, heldTypes: ['account.kind'] }))).toMatchObject({
      plan: { changes: { 'account.update': 42 } },
      held: ['account.kind'],
    });
  });
});
