import { Misconfigured, Rejected } from '../base/errors.ts';
import { courseRules } from '../configure/rules.ts';
import { type AccountFacts, courseKey } from '../connector/target.ts';
import { deliverAll } from '../deliver/deliver.ts';
import type { DeliveryEnd } from '../deliver/drain.ts';
import { typesOf } from '../outbox/apply.ts';
import { rankOf, same } from '../reconcile/facts.ts';
import { type Account, type Change, type EvidenceRow, keysOfAccount } from '../reconcile/model.ts';
import { changeOf, type PlannedChange } from '../reconcile/plan.ts';
import { enforceHeld, finishInterrupted, withRoster } from '../run/force.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { rolesNow } from '../run/rules.ts';
import { isReason } from '../snapshot/record.ts';
import type { Plan, PlanPosition, Run } from '../store/port.ts';
import { findRun } from './history.ts';
import { printRun, runJson } from './report.ts';
import type { Screen } from './screen.ts';
import { exit, withDaemon, withSource } from './session.ts';

/** `approve RUN --digest D`: applies exactly the held part of that plan, once, and delivers. */
export async function approve(
  id: string,
  options: { config: string; digest: string; deliver: boolean; json: boolean },
): Promise<number> {
  const { digest, deliver } = options;
  return withDaemon(
    options,
    async (daemon, screen, { file }) => {
      const { run, deliveries } = await daemon.call('approve', { params: { run: id }, body: { digest, deliver } });
      tellApproved(screen, id, run, file);
      return exitOfDelivery(deliveries);
    },
    async ({ rosterd, screen }) => {
      const { source } = await findRun(rosterd, id);
      const run = await withSource(rosterd, source, (mine) => approveHeld(mine, id, digest));
      const ends = deliver ? await deliverAll(rosterd.config, rosterd.store, rosterd.work) : [];
      tellApproved(screen, id, run, rosterd.config.file);
      return exitOfDelivery(ends);
    },
  );
}

/** `reject RUN`: the plan is put away. Its people stay as they are, and are looked at again in the next run. */
export async function reject(id: string, options: { config: string; json: boolean }): Promise<number> {
  return withDaemon(
    options,
    async (daemon, screen, { file }) => {
      tell(screen, (await daemon.call('reject', { params: { run: id } })).run, file);
      return exit.done;
    },
    async ({ rosterd, screen }) => {
      const { source } = await findRun(rosterd, id);
      tell(screen, await withSource(rosterd, source, (mine) => rejectHeld(mine, id)), rosterd.config.file);
      return exit.done;
    },
  );
}

/**
 * The approval itself, under the lock of the source; gives the run that it went to. A newer one that holds back exactly the
 * same plan is approved by the id of the older one: the digest is what a person has looked at. Throws `Misconfigured` when
 * no such plan waits, or it has another digest.
 */
export async function approveHeld(rosterd: Rosterd, id: string, digest: string): Promise<Run> {
  const { run, plan } = await heldPlan(rosterd, id, digest);
  if (digest !== plan.digest)
    throw new Misconfigured(`the plan of run ${id} has the digest ${plan.digest}, not ${digest}`, {
      remedy: `look at it with rosterd show ${id}, and approve what you saw`,
    });
  return withRoster(rosterd, plan.source, async (mine) => {
    await refuseStale(mine, plan);
    const state = await mine.store.sources.get(plan.source);
    run.decision = { verdict: 'approved', at: mine.work.clock.now().toISOString() };
    await mine.store.runs.put(run);
    const { source, digest } = plan;
    const named = run.run === id ? '' : `, by the id of ${id}, which held back the same`;
    mine.work.log.info({ event: 'run.approved', run: run.run, source, digest }, `${source}: approved${named}`);
    return enforceHeld(mine, state, plan, run);
  });
}

/** The rejection itself, under the lock of the source. Throws `Misconfigured` when that plan does not wait. */
export async function rejectHeld(rosterd: Rosterd, id: string): Promise<Run> {
  const { run, plan } = await heldPlan(rosterd, id);
  const state = await rosterd.store.sources.get(plan.source);
  run.decision = { verdict: 'rejected', at: rosterd.work.clock.now().toISOString() };
  await rosterd.store.runs.put(run);
  state.held = null;
  await rosterd.store.sources.put(state);
  const { source, digest } = plan;
  rosterd.work.log.info({ event: 'run.rejected', run: id, source, digest }, `${source}: rejected`);
  return run;
}

function exitOfDelivery(ends: readonly Pick<DeliveryEnd, 'error' | 'failed'>[]): number {
  return ends.some((end) => end.error || end.failed) ? exit.failed : exit.done;
}

function tell(screen: Screen, run: Run, configFile: string): void {
  if (screen.human) printRun(screen, run, configFile);
  else screen.json(runJson(run));
}

/** Says so where the approval went to another run than the one that was named. */
function tellApproved(screen: Screen, id: string, run: Run, configFile: string): void {
  if (screen.human && run.run !== id)
    screen.say(`run ${id} was replaced by ${run.run}, which held back the same plan: the approval went there`);
  tell(screen, run, configFile);
}

/**
 * The plan of a run, as long as it is the one that waits, or with its digest the one that waits in its place. Throws
 * `Misconfigured` with the reason otherwise.
 */
async function heldPlan(rosterd: Rosterd, id: string, digest: string | null = null): Promise<{ run: Run; plan: Plan }> {
  const named = await findRun(rosterd, id);
  await finishInterrupted(rosterd, named.source);
  const run = await findRun(rosterd, id);
  const state = await rosterd.store.sources.get(run.source);
  const { plans } = rosterd.store;
  const plan = run.plan ? await plans.get(run.plan) : null;
  if (plan && state.held === plan.plan) return { run, plan };
  const waiting = state.held === null ? null : await plans.get(state.held);
  if (run.status !== 'held' || run.decision || run.dryRun) {
    const reason = run.decision
      ? `was ${run.decision.verdict} at ${run.decision.at}`
      : run.dryRun
        ? 'was a dry run'
        : 'holds nothing back';
    throw new Misconfigured(`run ${id} ${reason}${waiting ? ` (${waiting.run} waits)` : ''}`, {
      remedy: 'rosterd runs lists what waits',
    });
  }
  const decided = await decidedSince(rosterd, run);
  const isSame = waiting?.digest === run.digest;
  // An approval is used up: one that comes late, or a second time, must not let pass what came to wait after it.
  if (waiting && isSame && !decided && digest === run.digest)
    return { run: await findRun(rosterd, waiting.run), plan: waiting };
  const by = decided
    ? `was replaced by run ${decided.run}, which was ${decided.decision!.verdict} at ${decided.decision!.at}`
    : waiting
      ? `was replaced by run ${waiting.run}, ${isSame ? 'which holds back the same plan' : 'whose plan has other changes'}`
      : 'holds nothing back any more: a newer run came since';
  throw new Misconfigured(`run ${id} ${by}${decided && waiting ? ` (${waiting.run} waits)` : ''}`, {
    remedy: waiting
      ? `look at it with rosterd show ${waiting.run}, and decide about what you see there`
      : 'rosterd runs lists what waits',
  });
}

/** The newest run since that held back the same plan, and that a person has decided about. */
async function decidedSince({ store }: Rosterd, { run: id, source, digest }: Run): Promise<Run | null> {
  const limit = 100;
  for (let skip = 0; ; skip += limit) {
    const page = await store.runs.list({ source, skip, limit });
    for (const run of page) {
      if (run.run === id) return null;
      if (run.decision && run.digest === digest) return run;
    }
    if (page.length < limit) return null;
  }
}

/** True when the account is no longer as the plan found it: an update says the whole person. */
function isOvertaken({ account, before }: Change, now: Account): boolean {
  const found: Partial<Record<keyof AccountFacts, unknown>> = { alias: null, ...account, ...before };
  return Object.entries(found).some(([field, value]) => !same(now[field as keyof AccountFacts] ?? null, value));
}

/** True when the first of the sources that speak of the person says another kind than the change, or one before it cannot be read. */
function saysOther({ account }: Change, rows: readonly EvidenceRow[], precedence: readonly string[]): boolean {
  const place = ({ source }: EvidenceRow): number => rankOf(source, { precedence });
  const now = rows.filter(({ state }) => state === 'now');
  // a row that is no reason for an account does not say who somebody is
  const speaking = now.filter(({ record }) => record !== null && isReason(record));
  const first = Math.min(...speaking.map(place));
  return (
    speaking.some((row) => place(row) === first && row.record!.kind !== account!.kind) ||
    // what cannot be read beside what its own source says hides nothing, as when the plan was made
    now.some((row) => row.record === null && place(row) < first)
  );
}

/** True when the account goes by another id or another address than the person who approves was shown. */
function isRenamed(shown: Partial<AccountFacts>, now: Account): boolean {
  return (['id', 'email', 'alias'] as const).some((field) => (shown[field] ?? null) !== (now[field] ?? null));
}

/**
 * Refuses a plan whose removals are no longer what the person saw: what it takes away is gone already, the account is not
 * as it was, or another source has come to hold it since. Exactly that plan, or none of it.
 */
async function refuseStale({ config, store }: Rosterd, plan: Plan): Promise<void> {
  const { matches } = courseRules(config);
  const { directories, unread } = await rolesNow(store, config, plan.source);
  const precedence = config.sources.map(({ name }) => name);
  const evidence = store.rows.evidence(plan.source, plan.snapshot);
  // Of an empty snapshot the updates wait as well: what removals say of those who stay was never so.
  const refused = plan.courseEntriesWith === 'held';
  /** Enrolments that this plan ends, by course; those come before the course's own end. */
  const ended = new Map<string, number>();
  /** How accounts are before this plan makes them another kind, and what else it changes with that; comes before removals. */
  const before = new Map<string, Change['before']>();

  const isStale = async (change: Change, accounts: ReadonlyMap<string, Account>): Promise<boolean> => {
    const { type, course, rule } = change;
    if (!change.account) {
      const key = courseKey(course!);
      const enrolled = (await evidence.enrolmentCounts([key])).get(key) ?? 0;
      return enrolled > (ended.get(key) ?? 0) || (await evidence.coursesWithRows([key])).has(key);
    }
    const now = accounts.get(change.account.account);
    if (!now) return true;
    if (type === 'account.update') return isOvertaken(change, now);
    if (type === 'account.kind') {
      before.set(now.account, change.before);
      const rows = await evidence.rows([...new Set([...keysOfAccount(change.account), ...keysOfAccount(now)])]);
      const its = rows.filter(({ source }) => !directories.has(source));
      return isOvertaken(change, now) || saysOther(change, its, precedence);
    }
    if (course) ended.set(courseKey(course), (ended.get(courseKey(course)) ?? 0) + 1);
    const left = rule === 'left-snapshot';
    const ends = left || rule === 'no-account';
    const shown = { ...change.account, ...before.get(now.account) };
    if (isRenamed(shown, now) && (ends || !refused)) return true;
    if (rule === 'left-scope' && !matches(course!)) return false;
    // In a refused plan the two may differ, and each may be how another source knows the person.
    const keys = new Set([...keysOfAccount(change.account), ...keysOfAccount(now)]);
    return (await evidence.rows([...keys])).some(({ source, state, record }) => {
      if (directories.has(source) && !unread.has(source)) return false;
      const says = course !== null && record && isReason(record) && courseKey(record) === courseKey(course);
      // Its own row names the course, and counts: the patterns match it again.
      if (source === plan.source) return rule === 'left-scope' && state === 'now' && says;
      // A row in quarantine may say anything of the person; whoever was gone from everywhere is not any more; and of whom
      // all rows were no reason for an account, one may be by now.
      return left || record === null || (ends && isReason(record)) || says;
    });
  };

  for (let after: PlanPosition | null = null; ; ) {
    const page: PlannedChange[] = await store.plans.changes(plan.plan, typesOf(plan, 'held'), after, 500);
    if (!page.length) return;
    const changes = page.map(changeOf);
    const numbers = new Set(changes.flatMap(({ account }) => (account ? [`n:${account.account}`] : [])));
    const accounts = new Map((await evidence.accounts([...numbers])).map((one) => [one.account, one]));
    const stale = new Set(await store.roster.stale(page));
    for (const [at, change] of changes.entries())
      if (await isStale(change, accounts)) stale.add(`${page[at]!.type} ${page[at]!.key}`);
    if (stale.size)
      throw new Rejected(
        `the plan of run ${plan.run} is out of date: ${stale.size} of its removals no longer find what it shows`,
        { remedy: `run rosterd sync --source ${plan.source} for a new plan` },
      );
    const { rank, key } = page.at(-1)!;
    after = { rank, key };
  }
}
