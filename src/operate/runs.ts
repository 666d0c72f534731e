import { plainLine } from '../base/plain.ts';
import { courseTitle } from '../connector/target.ts';
import type { Change } from '../reconcile/model.ts';
import type { Run } from '../store/port.ts';
import { type History, historyOf, historyOver } from './history.ts';
import { printRun, runJson, standOf, statusText } from './report.ts';
import { paint, type Screen, table, writeOut } from './screen.ts';
import { exit, withDaemon } from './session.ts';

/** `runs`: the newest runs, newest first. */
export async function listRuns(options: {
  config: string;
  source?: string;
  limit: number;
  json: boolean;
}): Promise<number> {
  return withHistory(options, async (history, screen) => {
    const runs = await history.runs({
      limit: options.limit,
      ...(options.source === undefined ? {} : { source: options.source }),
    });
    // after the runs: one that came to wait since has replaced one of them
    const waiting = screen.human ? await history.waiting() : null;
    if (!screen.human) for (const run of runs) screen.json(runJson(run));
    else if (!runs.length) screen.say('no runs yet');
    else
      screen.say(
        table(
          ['run', 'started', 'status', 'records', 'changes'],
          runs.map((run) => [
            run.run,
            run.startedAt.slice(0, 19).replace('T', ' '),
            statusText(standOf(run, waiting)) + (run.decision ? ` (${run.decision.verdict})` : ''),
            run.snapshot.records,
            Object.values(run.changes).reduce((sum, count) => sum + count, 0),
          ]),
        ),
      );
    return exit.done;
  });
}

/** Reads what happened from the daemon when one runs, which has the store in hand; else from the store. */
export async function withHistory(
  options: { config: string; json: boolean },
  read: (history: History, screen: Screen, configFile: string) => Promise<number>,
): Promise<number> {
  return withDaemon(
    options,
    (daemon, screen, { file }) => read(historyOver(daemon), screen, file),
    ({ rosterd, screen }) => read(historyOf(rosterd), screen, rosterd.config.file),
  );
}

/** `show RUN`: the run, every change of its plan with before and after, and everything that was kept back. */
export async function showRun(id: string, options: { config: string; limit?: number; json: boolean }): Promise<number> {
  return withHistory(options, async (history, screen, configFile) => {
    const run = await history.run(id);
    const notes = await history.notes(run);
    if (!screen.human) {
      // Written piece by piece, at the pace of whoever reads: a first load has more changes than memory should hold.
      await writeOut(`${JSON.stringify({ ...(runJson(run, 'quoted') as object), notes }).slice(0, -1)},"changes":[`);
      let separator = '';
      for await (const change of history.changes(run)) {
        const held = run.heldTypes.includes(change.type);
        if (!(await writeOut(`${separator}${JSON.stringify({ ...change, held })}`))) return exit.done;
        separator = ',';
      }
      await writeOut(']}\n');
      return exit.done;
    }
    const stand = run.status === 'held' ? standOf(run, await history.waiting()) : run.status;
    printRun(screen, run, configFile, 'quoted', stand);
    for (const note of notes)
      screen.say(`  ${paint.yellow(note.kind)} ${note.reason}: ${note.text}${where(note.rows)}`);
    const held = stand === 'replaced' ? paint.dim('held  ') : paint.yellow('waits ');
    await printChanges(history, screen, run, { limit: options.limit ?? 200, held });
    return exit.done;
  });
}

async function printChanges(
  history: History,
  screen: Screen,
  run: Run,
  { limit, held }: { limit: number; held: string },
): Promise<void> {
  let shown = 0;
  for await (const change of history.changes(run)) {
    if (shown === limit) {
      screen.say(paint.dim(`  … more: rosterd show ${run.run} --limit N, or --json for all`));
      return;
    }
    shown += 1;
    screen.say(changeLine(change, run.heldTypes.includes(change.type) ? held : '      '));
  }
}

/** A change on one line, behind a mark: what, whom, from what to what, by which rule. */
export function changeLine(change: Change, mark: string): string {
  const who = change.account ? `${change.account.account} ${change.account.id ?? change.account.email}` : '';
  const what = change.course ? courseTitle(change.course) : '';
  const fields = change.before
    ? Object.keys(change.after ?? {})
        .map((field) => `${field}: ${text(change.before, field)} → ${text(change.after, field)}`)
        .join(', ')
    : '';
  return `  ${mark}${change.type.padEnd(16)} ${[who, what, fields].filter(Boolean).join('  ')}  ${paint.dim(change.rule + where(change.rows))}`;
}

function text(fields: object | null, name: string): string {
  return JSON.stringify((fields as Record<string, unknown> | null)?.[name] ?? null);
}

function where(rows: Change['rows']): string {
  const row = rows[0];
  return row ? ` (${plainLine(row.line ? `${row.file.split('/').at(-1)}:${row.line}` : row.file)})` : '';
}
