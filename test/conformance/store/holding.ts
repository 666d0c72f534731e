import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test, vi } from 'vitest';
import { changeTypes } from '../../../src/connector/target.ts';
import type { OpenStore } from '../store.ts';
import { account, all, change, course, goodRow, inForce, plan, run, snapshot } from './samples.ts';

/** Another process that asks for the lock of the same store, and keeps it. */
async function holder(args: readonly string[]): Promise<{ said: string; child: ChildProcess }> {
  const file = join(import.meta.dirname, '../lock-holder.ts');
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { said, child };
}

/** The lock, and what a store is after it was closed. */
export function holdingConformance(open: OpenStore): void {
  test('one holder at a time: a second one gets null until the first lets go', async () => {
    const { store } = await open();
    const first = await store.lock('roster');
    expect(first).not.toBeNull();
    expect(await store.lock('roster')).toBeNull();
    await first!.release();
    const second = await store.lock('roster');
    expect(second).not.toBeNull();
    await second!.release();
  });

  test('locks on other things are other locks', async () => {
    const { store } = await open();
    const locks = [await store.lock('roster'), await store.lock('source:sis'), await store.lock('target:sis')];
    expect(locks).not.toContain(null);
    expect(await store.lock('source:sis')).toBeNull();
    await locks[1]!.release();
    expect(await store.lock('target:sis')).toBeNull();
    const again = await store.lock('source:sis');
    expect(again).not.toBeNull();
    for (const lock of [...locks, again]) await lock!.release();
  });

  test('a lock that is held is not lost', async () => {
    const { store } = await open();
    const lock = await store.lock('roster');
    expect(lock!.lost.aborted).toBe(false);
    await lock!.release();
  });

  test('letting go twice lets go once', async () => {
    const { store } = await open();
    const first = await store.lock('roster');
    await first!.release();
    const second = await store.lock('roster');
    await first!.release();
    expect(await store.lock('roster')).toBeNull();
    await second!.release();
  });

  test('closing the store gives the lock back', async () => {
    const { store, reopen } = await open();
    expect(await store.lock('roster')).not.toBeNull();
    const again = await reopen();
    const lock = await again.lock('roster');
    expect(lock).not.toBeNull();
    await lock!.release();
  });

  test('who has the lock keeps everybody else from nothing but the lock', async () => {
    const { store, holder: args } = await open();
    expect((await holder(args)).said).toBe('held');
    await store.runs.put(run('r1'));
    expect(await store.runs.list({ limit: 10 })).toHaveLength(1);
  });

  test('the lock holds between processes, and is free when its holder is killed', async () => {
    const { store, holder: args, lockLapseMs } = await open();
    const { said, child } = await holder(args);
    expect(said).toBe('held');
    expect(await store.lock('roster')).toBeNull();
    expect((await holder(args)).said).toBe('refused');

    child.kill('SIGKILL');
    await once(child, 'exit');
    let lock = await store.lock('roster');
    if (lockLapseMs)
      await vi.waitFor(
        async () => {
          lock ??= await store.lock('roster');
          expect(lock).not.toBeNull();
        },
        { timeout: lockLapseMs },
      );
    expect(lock).not.toBeNull();
    // Waiting for it was no time without a sign of life.
    await store.roster.putRules({ fingerprint: 'after', times: 1 });
    expect(lock!.lost.aborted).toBe(false);
    expect((await holder(args)).said).toBe('refused');
    await lock!.release();
  });

  test('closing and opening again keeps everything', async () => {
    const { store, reopen } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await store.snapshots.put(snapshot('sis', 1));
    await store.runs.put(run('r1'));
    await store.plans.put(plan('p1'));
    await store.plans.sink('p1').add([change('account.create', account(1))]);
    const target = { target: 'canvas', accepts: changeTypes };
    await store.roster.apply(
      plan('p1'),
      'free',
      [change('account.create', account(1)), change('enrolment.add', account(1), course('Statics'))],
      [target],
    );
    await store.roster.putCourses([{ ...course('Statics'), status: 'enrolled' }]);
    const look = async (at: typeof store) => ({
      states: await at.sources.all(),
      snapshots: await at.snapshots.list({ limit: 10 }),
      runs: await at.runs.list({ limit: 10 }),
      people: await at.rows.personPage('sis', 1, '', 10),
      plan: await at.plans.get('p1'),
      changes: await at.plans.changes('p1', changeTypes, null, 10),
      applied: await at.roster.applied('p1', 'free'),
      numbers: await at.roster.nextNumbers(),
      accounts: await all(at.roster.accounts()),
      enrolments: await all(at.roster.enrolments()),
      courses: await all(at.roster.courses()),
      outbox: await at.outbox.list({ limit: 10 }),
    });
    const before = await look(store);
    expect(before.outbox).toHaveLength(2);
    expect(await look(await reopen())).toEqual(before);
  });

  test('a long job leaves room for signals: batch after batch, timers get their turn', async () => {
    const { store } = await open();
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    onTestFinished(() => clearInterval(timer));
    const sink = store.plans.sink('p1');
    const batches = 12;
    const many = Array.from({ length: batches * 100 }, (_, n) => change('account.create', account(n + 1)));
    await sink.add(many);
    await store.rows.add('sis', 1, [goodRow(1, 'S1')]);
    const evidence = store.rows.evidence('sis', 1);
    const steps: (() => Promise<unknown>)[] = [
      (): Promise<unknown> => store.plans.changes('p1', changeTypes, null, 100),
      () => store.roster.apply(plan('p1'), 'free', many.slice(0, 100), []),
      () => evidence.rows(many.slice(0, 500).map((_, n) => `i:S${n}`)),
      () =>
        store.rows.add(
          'sis',
          2,
          many.slice(0, 100).map((_, n) => goodRow(n, `S${n}`)),
        ),
    ];
    for (const step of steps) {
      turns = 0;
      const began = performance.now();
      // Long enough for a timer of one millisecond, however fast the machine.
      while (performance.now() - began < 30) await step();
      expect(turns, String(step)).toBeGreaterThan(0);
    }
  });
}
