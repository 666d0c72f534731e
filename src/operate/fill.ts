import { Misconfigured } from '../base/errors.ts';
import { lots } from '../base/lots.ts';
import { type AccountFacts, type CourseName, courseKey, type DeliveryItem } from '../connector/target.ts';
import { remaster } from '../deliver/deliver.ts';
import { pausedOf } from '../deliver/drain.ts';
import { withRosterStill } from '../deliver/roster.ts';
import { personOf } from '../outbox/items.ts';
import { changeRank } from '../reconcile/model.ts';
import { courseDigest } from '../reconcile/plan.ts';
import { newRunId } from '../run/record.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { OutboxItem } from '../store/port.ts';
import { findTarget } from './queue.ts';

const lotSize = 500;

/**
 * Queues the whole roster for a target that was added later, or that has lost what it had: every course that people are
 * enrolled in, everybody with an active account, and their enrolments. Disabled accounts are left out: of one that the
 * target never had there is nothing to disable. Says how many items that is. Whatever is queued for it already goes first.
 * A target that wants the whole roster applies it anew instead, at once.
 */
export async function fill(rosterd: Rosterd, name: string): Promise<{ queued: number; remastered: boolean }> {
  const { config, store, work } = rosterd;
  const target = findTarget(rosterd, name);
  const { connector, settings } = target;
  if (connector.wantsRoster?.(settings)) {
    if (await pausedOf(store, name))
      throw new Misconfigured(`${name} is paused`, { remedy: `rosterd queue resume ${name}` });
    await remaster(target, config, store, work);
    return { queued: 0, remastered: true };
  }
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
    return queued;
  });
  work.log.info({ event: 'queue.filled', target: name, items: count }, `${name}: the whole roster is queued`);
  return { queued: count, remastered: false };
}

/** The names alone: a roster says of an enrolment who gave it as well. */
function named({ faculty, department, course }: CourseName): CourseName {
  return { faculty, department, course };
}
