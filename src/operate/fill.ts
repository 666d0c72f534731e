import { Misconfigured } from '../base/errors.ts';
import { lots } from '../base/lots.ts';
import type { TargetConfig } from '../configure/config.ts';
import { type AccountFacts, type CourseName, courseKey, type DeliveryItem } from '../connector/target.ts';
import { remaster } from '../deliver/deliver.ts';
import { pausedOf } from '../deliver/drain.ts';
import { movedError, movedOf, platformOf, platformText } from '../deliver/platform.ts';
import { withRosterStill } from '../deliver/roster.ts';
import { personOf } from '../outbox/items.ts';
import { changeRank } from '../reconcile/model.ts';
import { courseDigest } from '../reconcile/plan.ts';
import { newRunId } from '../run/record.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { under, waitForLock } from '../store/exclusive.ts';
import type { OutboxItem, Store } from '../store/port.ts';
import { Conflict } from './control/errors.ts';
import { findTarget } from './queue.ts';

const lotSize = 500;

/** What a fill came to. `remastered`: nothing was queued, the target has applied the whole roster at once. */
export interface Filled {
  queued: number;
  remastered: boolean;
}

/**
 * Queues the whole roster for a target that was added later, or that has lost what it had: every course that people are
 * enrolled in, everybody with an active account, and their enrolments. Disabled accounts are left out: of one that the
 * target never had there is nothing to disable. Says how many items that is. Whatever is queued for it already goes first.
 * A target that wants the whole roster applies it anew instead, at once. Throws `Misconfigured` when it has moved.
 */
export async function fill(rosterd: Rosterd, name: string): Promise<Filled> {
  const target = findTarget(rosterd, name);
  const moved = movedOf(target, await rosterd.store.outbox.platforms());
  if (moved) throw movedError(moved);
  if (target.connector.wantsRoster?.(target.settings))
    return withTargetLock(rosterd, name, (mine) => applyAnew(mine, target));
  return { queued: await queueRoster(rosterd, target), remastered: false };
}

/**
 * What a person says of a target that has moved: it is the same platform under a new address, and the queue goes on; or it
 * is a new one, which gets the whole roster as by `fill`, in place of what waited for the other one. Throws `Conflict` when
 * it has not moved.
 */
export async function settleMove(rosterd: Rosterd, name: string, outcome: 'same' | 'new'): Promise<Filled> {
  const target = findTarget(rosterd, name);
  return withTargetLock(rosterd, name, async (mine) => {
    const { store, work } = mine;
    const moved = movedOf(target, await store.outbox.platforms());
    if (!moved)
      throw new Conflict(`${name} has not moved, it is ${platformText(platformOf(target))}`, {
        remedy: `rosterd queue fill ${name} brings it the whole roster`,
      });
    let filled: Filled = { queued: 0, remastered: false };
    if (outcome === 'new')
      filled = target.connector.wantsRoster?.(target.settings)
        ? await applyAnew(mine, target)
        : { queued: await queueRoster(mine, target, { alone: true }), remastered: false };
    // last: after a cut nothing is sent before somebody has said it again
    await store.outbox.putPlatform(moved.is);
    work.log.info(
      { event: 'queue.moved', target: name, outcome, items: filled.queued },
      `${name}: ${platformText(moved.is)} is ${outcome === 'same' ? 'the same platform as' : 'another platform than'} ${platformText(moved.was)}`,
    );
    return filled;
  });
}

/** Nothing is delivered to the target meanwhile. */
async function withTargetLock<T>(rosterd: Rosterd, name: string, use: (mine: Rosterd) => Promise<T>): Promise<T> {
  const { store, work } = rosterd;
  const lock = await waitForLock(store, `target:${name}`, work, name);
  try {
    return await use({ ...rosterd, work: under(lock, work) });
  } finally {
    await lock.release();
  }
}

async function applyAnew({ config, store, work }: Rosterd, target: TargetConfig): Promise<Filled> {
  const { name } = target;
  if (await pausedOf(store, name))
    throw new Misconfigured(`${name} is paused`, { remedy: `rosterd queue resume ${name}` });
  await remaster(target, config, store, work);
  return { queued: 0, remastered: true };
}

/** `alone`: what waits already is superseded by it; the caller holds the target's lock. */
async function queueRoster(
  { store, work }: Rosterd,
  { name, connector, settings }: TargetConfig,
  { alone = false } = {},
): Promise<number> {
  const accepts = connector.accepts(settings);
  const plan = newRunId('fill', work.clock);
  const count = await withRosterStill(store, name, work, async (roster) => {
    let queued = 0;
    const itemOf = (
      type: DeliveryItem['type'],
      account: AccountFacts | null,
      course: CourseName | null,
    ): OutboxItem => {
      const key = [account?.account, course && courseDigest(course)].filter(Boolean).join('/');
      const item = `${plan}:${changeRank[type]}:${key}:${name}`;
      const facts = account && Object.keys(account).sort();
      const delivery = { item, type, account, course, changed: facts ?? [], before: null, emailConfirmed: false };
      return {
        ...{ item, seq: 0, target: name, plan, type, person: personOf(delivery), status: 'queued', attempts: 0 },
        ...{ answer: null, because: null, trail: [], delivery },
      };
    };
    const used = new Map<string, CourseName>();
    for await (const { account, enrolments } of roster.people())
      if (account.status === 'active') for (const course of enrolments) used.set(courseKey(course), course);
    // courses, then people, then enrolments: as in a plan
    const passes: (() => AsyncGenerator<OutboxItem>)[] = [
      async function* () {
        for (const [, course] of [...used].sort(([a], [b]) => (a < b ? -1 : 1)))
          yield itemOf('course.create', null, named(course));
      },
      async function* () {
        for await (const { account } of roster.people())
          if (account.status === 'active') yield itemOf('account.create', account, null);
      },
      async function* () {
        for await (const { account, enrolments } of roster.people())
          if (account.status === 'active')
            for (const course of enrolments) yield itemOf('enrolment.add', account, named(course));
      },
    ];
    const wanted = async function* (): AsyncGenerator<OutboxItem> {
      for (const pass of passes) for await (const item of pass()) if (accepts.includes(item.type)) yield item;
    };
    for await (const lot of lots(wanted(), lotSize)) {
      await store.outbox.restore(lot);
      queued += lot.length;
      work.progress(name, `${queued.toLocaleString('en')} items queued`);
    }
    // after the roster, and before anything more is queued: whatever waits is in it, or is news of the other platform alone
    if (alone) await supersedeBefore(store, name, plan);
    return queued;
  });
  work.log.info({ event: 'queue.filled', target: name, items: count }, `${name}: the whole roster is queued`);
  return count;
}

/** What waits or failed before the items of a plan; what another system has in hand is its own business. */
async function supersedeBefore(store: Store, target: string, plan: string): Promise<void> {
  await store.outbox.recover(target);
  for (const status of ['queued', 'failed'] as const)
    for (let after = 0; ; ) {
      const page = await store.outbox.list({ target, status, after, limit: lotSize });
      if (!page.length) break;
      const old = page.filter((item) => item.plan !== plan);
      await store.outbox.supersede(
        target,
        old.map(({ item }) => ({ item, because: plan })),
      );
      after = page.at(-1)!.seq;
    }
}

/** The names alone: a roster says of an enrolment who gave it as well. */
function named({ faculty, department, course }: CourseName): CourseName {
  return { faculty, department, course };
}
