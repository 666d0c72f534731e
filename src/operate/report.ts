import pc from 'picocolors';
import { changeTypes } from '../connector/target.ts';
import type { Run } from '../store/port.ts';
import { type Screen, table } from './screen.ts';

/** A run as `sync --json`, `runs` and `show` print it; the design's shape, with more keys behind. */
export function runJson(run: Run): unknown {
  return {
    run: run.run,
    source: run.source,
    trigger: run.trigger,
    dryRun: run.dryRun,
    status: run.status,
    snapshot: run.snapshot,
    plan: { digest: run.digest, changes: run.changes },
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
    decision: run.decision,
  };
}

const colours: Partial<Record<Run['status'], (text: string) => string>> = {
  applied: pc.green,
  unchanged: pc.green,
  planned: pc.cyan,
  held: pc.yellow,
  failed: pc.red,
  skipped: pc.dim,
};

/** A status in its colour. */
export function statusText(status: Run['status']): string {
  return (colours[status] ?? String)(status);
}

/** A run for a person: what came, what changes, what waits, what could not be read. */
export function printRun(screen: Screen, run: Run): void {
  const { records, quarantined, id } = run.snapshot;
  screen.say(`\n${pc.bold(run.source)}  ${statusText(run.status)}${run.dryRun ? pc.dim('  dry run') : ''}`);
  screen.say(
    pc.dim(`  run ${run.run}${id ? `, snapshot ${id}` : ''}${run.durationMs === null ? '' : `, ${run.durationMs} ms`}`),
  );
  if (run.error) screen.say(pc.red(`  ${run.error.kind}: ${run.error.message}`));
  if (run.snapshot.complete)
    screen.say(`  ${records.toLocaleString('en')} records, ${quarantined.toLocaleString('en')} rows in quarantine`);
  printChanges(screen, run);
  printGuards(screen, run);
  if (run.conflicts || run.blocked)
    screen.say(
      pc.yellow(
        `  ${run.conflicts} in conflict, ${run.blocked} with removals kept back by doubt: rosterd show ${run.run}`,
      ),
    );
  printList(screen, 'new courses', run.courses.new);
  printList(screen, 'vanished courses', run.courses.vanished);
  if (run.quarantine.length)
    screen.say(
      `  quarantine\n${table(
        ['file', 'line', 'column', 'reason'],
        run.quarantine.slice(0, 20).map((row) => [fileName(row.file), row.line, row.column ?? '', row.reason]),
      )}`,
    );
  if (run.snapshot.quarantined > 20) screen.say(pc.dim(`  … ${run.snapshot.quarantined} rows in all`));
}

function printChanges(screen: Screen, run: Run): void {
  const rows = changeTypes
    .filter((type) => run.changes[type])
    .map((type) => [type, run.changes[type]!, run.heldTypes.includes(type) ? pc.yellow('waits') : '']);
  if (rows.length) screen.say(table(['change', 'count', ''], rows));
}

function printGuards(screen: Screen, run: Run): void {
  for (const guard of run.guards) {
    const mark = guard.held ? pc.yellow('held  ') : pc.green('passed');
    screen.say(`  ${mark} ${guard.guard}: ${guard.text}`);
  }
  if (!run.decision && run.heldTypes.length && run.status === 'held')
    screen.say(
      pc.yellow(
        `  look: rosterd show ${run.run}\n  then: rosterd approve ${run.run} --digest ${run.digest}   or: rosterd reject ${run.run}`,
      ),
    );
  if (run.decision) screen.say(`  ${run.decision.verdict} at ${run.decision.at}`);
}

function printList(screen: Screen, title: string, names: readonly string[]): void {
  if (!names.length) return;
  screen.say(`  ${title} (${names.length})`);
  for (const name of names.slice(0, 10)) screen.say(pc.dim(`    ${name}`));
  if (names.length > 10) screen.say(pc.dim(`    … and ${names.length - 10} more`));
}

function fileName(path: string): string {
  return path.split('/').at(-1) ?? path;
}
