import { plainLine } from '../base/plain.ts';
import { type PlanType, planTypes } from '../reconcile/model.ts';
import { withoutShown } from '../snapshot/formats/text.ts';
import type { Run } from '../store/port.ts';
import { paint, type Screen, table } from './screen.ts';

/** Whether reasons quote the cells that they are about: only for who asked to see rows, which is `show`. */
export type Cells = 'quoted' | 'hidden';

/** The run with its reasons as they may be shown. */
function withCells(run: Run, cells: Cells): Run {
  if (cells === 'quoted') return run;
  const hidden = <T extends { reason: string }>(row: T): T => ({ ...row, reason: withoutShown(row.reason) });
  const { quarantine, remarks } = run;
  return {
    ...run,
    quarantine: quarantine.map(hidden),
    ...(remarks ? { remarks: { ...remarks, first: remarks.first.map(hidden) } } : {}),
  };
}

/** A run as `sync --json`, `runs` and `show` print it; the design's shape, with more keys behind. */
export function runJson(of: Run, cells: Cells = 'hidden'): unknown {
  const run = withCells(of, cells);
  return {
    run: run.run,
    source: run.source,
    trigger: run.trigger,
    dryRun: run.dryRun,
    status: run.status,
    snapshot: run.snapshot,
    plan: { digest: run.digest, changes: toldCounts(run.changes) },
    guards: run.guards.filter((guard) => guard.held).map(({ guard, measured, limit }) => ({ guard, measured, limit })),
    courses: run.courses,
    error: run.error,
    durationMs: run.durationMs,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    held: run.heldTypes,
    conflicts: run.conflicts,
    blocked: run.blocked,
    quarantine: run.quarantine,
    ...(run.remarks ? { remarks: run.remarks } : {}),
    decision: run.decision,
  };
}

/** Counts in the words of the design: a change of kind is an update. What `held` names is more exact. */
function toldCounts({ 'account.kind': kinds, ...others }: Run['changes']): Run['changes'] {
  return kinds ? { ...others, 'account.update': (others['account.update'] ?? 0) + kinds } : others;
}

const colours: Partial<Record<Stand, (text: string) => string>> = {
  applied: paint.green,
  unchanged: paint.green,
  planned: paint.cyan,
  held: paint.yellow,
  failed: paint.red,
  skipped: paint.dim,
  replaced: paint.dim,
};

/** Where a run stands for a person: one that held something back, and that a newer one has replaced, waits no more. */
export function standOf({ run, status, decision }: Run, waiting: ReadonlySet<string> | null): Stand {
  return status === 'held' && !decision && waiting && !waiting.has(run) ? 'replaced' : status;
}

/** A status, or that of a held run that was replaced. JSON has only statuses: scripts hold on to them. */
export type Stand = Run['status'] | 'replaced';

/** Where a run stands, in its colour. */
export function statusText(stand: Stand): string {
  return (colours[stand] ?? String)(stand);
}

/** A run for a person: what came, what changes, what waits, what could not be read. */
export function printRun(
  screen: Screen,
  of: Run,
  configFile = 'FILE',
  cells: Cells = 'hidden',
  stand: Stand = of.status,
): void {
  const run = withCells(of, cells);
  const { records, quarantined, id } = run.snapshot;
  screen.say(`\n${paint.bold(run.source)}  ${statusText(stand)}${run.dryRun ? paint.dim('  dry run') : ''}`);
  screen.say(
    paint.dim(
      `  run ${run.run}${id ? `, snapshot ${id}` : ''}${run.durationMs === null ? '' : `, ${count(run.durationMs)} ms`}`,
    ),
  );
  if (run.error) screen.say(paint.red(`  ${run.error.kind}: ${run.error.message}`));
  if (run.snapshot.complete)
    screen.say(`  ${numberOf(records, 'record')}, ${numberOf(quarantined, 'row')} in quarantine`);
  else if (id) screen.say('  nothing new to read: its last answer, under rules that were edited');
  printChanges(screen, run, stand);
  printGuards(screen, run);
  printDoubt(screen, run);
  printDecision(screen, run, configFile, stand);
  printList(screen, 'new courses', run.courses.new);
  printList(screen, 'vanished courses', run.courses.vanished);
  printQuarantine(screen, run);
  printRemarks(screen, run);
}

/** What a change type means, for those who see it for the first time. */
const meanings: Readonly<Record<PlanType, string>> = {
  'course.create': 'a new course',
  'account.create': 'somebody new',
  'account.enable': 'somebody is back, with the old account',
  'account.update': 'another name, e-mail address, id or year',
  'account.kind': 'a student becomes staff, or staff a student',
  'enrolment.add': 'somebody joins a course',
  'enrolment.remove': 'somebody leaves a course',
  'account.disable': 'somebody is gone; disabled, never deleted',
  'course.archive': 'nobody is in the course any more',
};

function printChanges(screen: Screen, run: Run, stand: Stand): void {
  const waits = stand === 'replaced' ? paint.dim('was held back') : paint.yellow('waits for a person');
  const rows = planTypes
    .filter((type) => run.changes[type])
    .map((type) => [type, run.changes[type]!, run.heldTypes.includes(type) ? waits : paint.dim(meanings[type])]);
  if (rows.length) screen.say(`\n${table(['change', 'count', ''], rows)}`);
}

function printGuards(screen: Screen, run: Run): void {
  // A limit that nothing came near is no news.
  const measured = run.guards.filter((guard) => guard.held || (guard.measured > 0 && guard.guard !== 'empty-snapshot'));
  if (run.guards.length) screen.say();
  if (run.guards.length && !measured.length)
    screen.say(`  ${paint.green('passed')}  all guards: nothing is taken from anybody`);
  for (const guard of measured)
    screen.say(`  ${guard.held ? paint.yellow('held  ') : paint.green('passed')}  ${guard.text}`);
}

function printDoubt(screen: Screen, run: Run): void {
  const say = (text: string): void => screen.say(`  ${paint.yellow('doubt ')}  ${text}`);
  if (run.conflicts) say(`${people(run.conflicts)} in conflict: not touched until the source is clear`);
  if (run.blocked) say(`${people(run.blocked)} may have left, but the rows are unclear: nothing is taken`);
}

function printDecision(screen: Screen, run: Run, configFile: string, stand: Stand): void {
  if (run.decision) screen.say(`  ${run.decision.verdict} at ${run.decision.at}`);
  else if (stand === 'replaced') screen.say('  replaced by a newer run; rosterd runs says what waits now');
  else if (run.heldTypes.length && run.status === 'held') {
    screen.say(`\n  ${paint.yellow('what waits needs a person:')}`);
    const on = `-c ${configFile}`;
    screen.say(`    rosterd show ${run.run} ${on}`);
    screen.say(`    rosterd approve ${run.run} ${on} \\\n      --digest ${run.digest}`);
    screen.say(`    rosterd reject ${run.run} ${on}`);
  }
}

function printList(screen: Screen, title: string, names: readonly string[]): void {
  if (!names.length) return;
  screen.say(`\n  ${paint.bold(title)} (${count(names.length)})`);
  for (const name of names.slice(0, 10)) screen.say(`    ${plainLine(name)}`);
  if (names.length > 10) screen.say(paint.dim(`    … and ${count(names.length - 10)} more`));
}

function printQuarantine(screen: Screen, { quarantine, snapshot }: Run): void {
  if (!quarantine.length) return;
  const shown = quarantine.slice(0, 20);
  screen.say(
    `\n${table(
      ['quarantine', 'line', 'column', 'reason'],
      shown.map((row) => [fileName(row.file), row.line ? String(row.line) : '', row.column ?? '', row.reason]),
    )}`,
  );
  if (snapshot.quarantined > shown.length) screen.say(paint.dim(`  … ${count(snapshot.quarantined)} rows in all`));
}

function printRemarks(screen: Screen, { remarks }: Run): void {
  if (!remarks) return;
  const shown = remarks.first.slice(0, 10);
  const cells = shown.map((one) => [
    fileName(one.file),
    one.line ? String(one.line) : '',
    one.column ?? '',
    one.reason,
  ]);
  screen.say(`\n${table(['remarked', 'line', 'column', 'what'], cells)}`);
  if (remarks.count > shown.length) screen.say(paint.dim(`  … ${count(remarks.count)} remarks in all`));
}

function fileName(path: string): string {
  return path.split('/').at(-1) ?? path;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function numberOf(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

function people(value: number): string {
  return value === 1 ? 'one person' : `${count(value)} people`;
}
