/**
 * Guards: limits on what a plan takes away. A tripped guard holds the removals of its source, nothing else. Pure.
 */

import type { PlanType } from './model.ts';

/** Limits as configured; see `RemovalLimits` of the configuration. */
export interface Limits {
  percent: number;
  atLeast: number;
  window: { days: number; percent: number };
}

/** Removals, counted apart: a course that closes is not a thousand people who left. */
export interface Removals {
  disables: number;
  unenrolments: number;
  /** People who become staff or students: each loses a role in all courses, and is given another. */
  kinds: number;
}

/** Nothing is taken away. */
export const noRemovals: Readonly<Removals> = { disables: 0, unenrolments: 0, kinds: 0 };

/** The removals among changes that are counted by type. */
export function removalsOf(changes: Readonly<Partial<Record<PlanType, number>>>): Removals {
  return {
    disables: changes['account.disable'] ?? 0,
    unenrolments: changes['enrolment.remove'] ?? 0,
    kinds: changes['account.kind'] ?? 0,
  };
}

/** The removals of several runs, by their changes. */
export function removalsTogether(runs: Iterable<Readonly<Partial<Record<PlanType, number>>>>): Removals {
  const all = { ...noRemovals };
  for (const changes of runs) {
    const its = removalsOf(changes);
    for (const what of ['disables', 'unenrolments', 'kinds'] as const) all[what] += its[what];
  }
  return all;
}

/** What one guard measured, also when it lets the plan pass. */
export interface GuardResult {
  guard: string;
  /** Per cent of what stood before; for `empty-snapshot` the number of records. */
  measured: number;
  limit: number;
  held: boolean;
  /** A sentence for people. */
  text: string;
}

/** What the guards of a plan look at. */
export interface GuardInput {
  limits: Limits;
  removals: Removals;
  /** What stands because of this source. */
  standing: { accounts: number; enrolments: number };
  /**
   * Rows of this snapshot, of the one before, or of the one before removals began to wait, whichever has most, with those in
   * quarantine. A source cannot speak for more than that, whatever once came from it: people whom it gave and another source
   * names by now would hide that it is emptied. And the same removals are the same share as long as they wait.
   */
  rows: number;
  /**
   * What of it was given since removals wait: it did not stand before them. Creations go on beside a hold, and would enlarge
   * what it is measured by until it passes by itself.
   */
  givenSince: { accounts: number; enrolments: number };
  /**
   * People whom a first snapshot names; null when it is not the first. Nothing stands because of its source yet, but
   * those whose kind it changes may all be others' accounts: of nothing, each of them would be too many.
   */
  first: number | null;
  /** Earlier removals inside the window that no person approved. */
  earlier: Removals;
  /** Records in the snapshot now and in the one before (null: there was none). */
  records: { now: number; before: number | null };
  /**
   * What else an empty snapshot would lead to: changes that are no removals, and removals that are in doubt. In force, it
   * would be the one that counts when the doubt is gone, and no longer one that came after a full one.
   */
  keptBack: number;
}

/** An empty snapshot after one that was not; it does no harm when nothing follows from it (everybody is gone already). */
function guardEmpty(records: GuardInput['records'], follows: number): GuardResult[] {
  if (!records.before) return [];
  const text =
    records.now === 0
      ? `the snapshot is empty, the one before has ${shown(records.before)} records`
      : `${shown(records.now)} records, ${shown(records.before)} before`;
  const held = records.now === 0 && follows > 0;
  return [{ guard: 'empty-snapshot', measured: records.now, limit: 1, held, text }];
}

/**
 * A directory takes nobody's account, but a directory that suddenly knows half of what it knew would blank an attribute of
 * everybody. `losses`: accounts that would lose an attribute, measured against the entries there were.
 */
export function guardDirectory(
  input: Pick<GuardInput, 'limits' | 'records' | 'keptBack'>,
  losses: number,
): GuardResult[] {
  const { limits, records, keptBack } = input;
  const before = records.before ?? 0;
  return [
    ...guardEmpty(records, losses + keptBack),
    {
      guard: 'attributes.percent',
      measured: percentOf(losses, before),
      limit: limits.percent,
      held: losses > limits.atLeast && exceeds(losses, before, limits.percent),
      text: `${shown(losses)} accounts lose an attribute, ${shown(before)} entries before (limit ${limits.percent} % when over ${limits.atLeast})`,
    },
  ];
}

/**
 * Measures every guard. The percentage at once needs more than `atLeast` removals as well; the percentage over the
 * window needs no minimum, because a limit that is skipped for small sources wipes exactly those. The window's base is
 * what stands now plus what the window took, so that a slow drain cannot shrink its own base.
 */
export function measureGuards(input: GuardInput): GuardResult[] {
  const { limits, removals, standing, rows, givenSince, first, earlier, records, keptBack } = input;
  const results = guardEmpty(records, removals.disables + removals.unenrolments + keptBack);
  const kinds = [
    {
      name: 'disables',
      now: removals.disables,
      before: stoodBefore(standing.accounts, rows, givenSince.accounts, removals.disables),
      past: earlier.disables,
      what: 'accounts disabled',
    },
    {
      name: 'unenrolments',
      now: removals.unenrolments,
      before: stoodBefore(standing.enrolments, rows, givenSince.enrolments, removals.unenrolments),
      past: earlier.unenrolments,
      what: 'enrolments ended',
    },
    {
      name: 'kinds',
      now: removals.kinds,
      before: first ?? stoodBefore(standing.accounts, rows, givenSince.accounts, removals.kinds),
      past: earlier.kinds,
      what: 'accounts changed between student and staff',
    },
  ];
  for (const { name, now, before, past, what } of kinds) {
    const atOnce = percentOf(now, before);
    results.push({
      guard: `${name}.percent`,
      measured: atOnce,
      limit: limits.percent,
      held: now > limits.atLeast && exceeds(now, before, limits.percent),
      text: `${shown(now)} of ${shown(before)} ${what} at once (limit ${limits.percent} % when over ${limits.atLeast})`,
    });
    const within = percentOf(now + past, before + past);
    results.push({
      guard: `${name}.window`,
      measured: within,
      limit: limits.window.percent,
      held: now > 0 && exceeds(now + past, before + past, limits.window.percent),
      text: `${shown(now + past)} of ${shown(before + past)} ${what} within ${limits.window.days} days (limit ${limits.window.percent} %)`,
    });
  }
  return results;
}

/** Never less than what goes of it: more than all of something cannot go, and a limit of 100 per cent holds nothing. */
function stoodBefore(stands: number, rows: number, given: number, goes: number): number {
  return Math.max(Math.min(stands, rows) - given, Math.min(goes, stands));
}

const shown = (count: number): string => count.toLocaleString('en');

/** Exact, without the rounding that is shown: a limit of 10 % on 1,000 lets 100 go and holds 101. */
function exceeds(part: number, whole: number, percent: number): boolean {
  return part * 100 > percent * whole;
}

/** Per cent with two decimals; all of nothing is 0 when nothing goes and 100 when something does. */
function percentOf(part: number, whole: number): number {
  if (whole === 0) return part === 0 ? 0 : 100;
  return Math.round((part / whole) * 10_000) / 100;
}
