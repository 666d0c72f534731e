import type { Stub } from '../../connector/stub.ts';
import type { Rosterd } from '../../run/rosterd.ts';
import { type SyncResult, syncJson, syncOnce } from '../sync.ts';
import { type Campus, campusOf } from './campus.ts';
import { type Totals, totalsOf, totalsOfRoster } from './received.ts';
import { type Drop, makeSample } from './sample.ts';

/** One day of the story: a drop, and what shall come of it. */
export interface Act {
  day: string;
  title: string;
  drop: Drop;
  /** What the two other systems say on that day. */
  campus: Campus;
  /** How the run of each source ends, in the order of the configuration. */
  ends: readonly ('applied' | 'unchanged' | 'held' | 'failed')[];
  /** Told in one line: it only prepares the others. */
  quiet: boolean;
}

/** What became of a day. */
export interface Played {
  act: Act;
  sync: SyncResult;
  roster: Totals;
  targets: Record<string, Totals>;
  /** What did not go as told; empty when all is well. */
  problems: string[];
}

/** The days, each with its drop. */
export function story(): Act[] {
  const { pilot, day1, day2, day3 } = makeSample();
  const campus = campusOf({ pilot, day1, day2 });
  const quiet = false;
  const applied = ['applied', 'applied', 'applied'] as const;
  return [
    {
      day: 'Last term',
      title: 'a pilot with ten people of each department',
      drop: pilot,
      campus: campus[0]!,
      ends: ['applied', 'unchanged', 'applied'],
      quiet: true,
    },
    { day: 'Day 1', title: 'the whole university arrives', drop: day1, campus: campus[1]!, ends: applied, quiet },
    {
      day: 'Day 2',
      title: 'people and courses come, go and change',
      drop: day2,
      campus: campus[2]!,
      ends: applied,
      quiet,
    },
    {
      day: 'Day 3',
      title: 'half a file, half the staff pages, a directory that shows nobody',
      drop: day3,
      campus: campus[3]!,
      ends: ['held', 'failed', 'failed'],
      quiet,
    },
  ];
}

/** Syncs and delivers what lies in the drop folder, the way `sync` does, and counts what everybody has then. */
export async function playAct(
  rosterd: Rosterd,
  stubs: readonly Stub[],
  act: Act,
  before: Played | undefined,
): Promise<Played> {
  const sync = await syncOnce(rosterd, rosterd.config.sources, { dryRun: false, deliver: true });
  const roster = await totalsOfRoster(rosterd.store);
  const targets = Object.fromEntries(stubs.map((stub) => [stub.kind, totalsOf(stub)]));
  const played: Played = { act, sync, roster, targets, problems: [] };
  played.problems.push(...problemsOf(played, before));
  return played;
}

/** Compares what became of a day with what shall become of it. */
function problemsOf({ act, sync, roster, targets }: Played, before: Played | undefined): string[] {
  const problems: string[] = [];
  const say = (text: string): number => problems.push(`${act.day}: ${text}`);
  for (const [at, ends] of act.ends.entries()) {
    const run = sync.runs[at];
    if (run?.status !== ends)
      say(
        run?.error?.message ??
          `the run of ${run?.source ?? `source ${at}`} is ${run?.status ?? 'missing'}, not ${ends}`,
      );
  }
  for (const { error } of sync.deliveries) if (error) say(error.message);
  for (const [target, { queued, processing, failed }] of Object.entries(sync.outbox))
    if (queued + processing + failed) say(`${target}: ${failed} failed, ${queued + processing} not sent`);
  for (const [target, totals] of Object.entries(targets))
    if (!agree(totals, roster)) say(`${target} has ${JSON.stringify(totals)}, the roster ${JSON.stringify(roster)}`);
  if (act.ends.includes('held') && before && !agree(roster, before.roster))
    say('the roster changed although removals wait');
  return problems;
}

/** True when two sides have the same; a target that keeps no courses agrees about them. */
function agree(one: Totals, other: Totals): boolean {
  return (['accounts', 'active', 'enrolments', 'courses'] as const).every(
    (key) => one[key] === null || other[key] === null || one[key] === other[key],
  );
}

/** What `demo --json` prints. */
export function demoJson(days: readonly Played[], problems: readonly string[]): unknown {
  return {
    ok: problems.length === 0,
    problems,
    days: days.map(({ act, sync, roster, targets }) => ({
      day: act.day,
      file: act.drop.name,
      people: act.drop.people,
      rows: act.drop.rows,
      sync: syncJson(sync),
      roster,
      targets,
    })),
  };
}
