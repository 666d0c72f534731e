import { plainLine } from '../base/plain.ts';
import { courseTitle } from '../connector/target.ts';
import type { Change } from '../reconcile/model.ts';
import type { Run } from '../store/port.ts';
import { type History, historyOf, historyOver } from './history.ts';
import { printRun, runJson, standOf, statusText } from './report.ts';
import { paint, type Screen, sayFirst, table, timeText, writeWithList } from './screen.ts';
import { exit, withDaemon } from './session.ts';

/** Lines that a terminal shows where nobody says how many. */
export const usualLines = 200;

/** What a command is given that lists the newest, of one source or of all. */
export interface ListOptions {
  config: string;
  source?: string;
  limit: number;
  json: boolean;
}

/** `runs`: the newest runs, newest first. */
export async function listRuns(options: ListOptions): Promise<number> {
  return withHistory(options, async (history, screen) => {
    const runs = await history.runs(options);
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
            timeText(run.startedAt),
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
      await writeWithList({ ...(runJson(run, 'quoted') as object), notes }, 'changes', withHeld(history, run));
      return exit.done;
    }
    const stand = run.status === 'held' ? standOf(run, await history.waiting()) : run.status;
    printRun(screen, run, configFile, 'quoted', stand);
    for (const note of notes)
      screen.say(`  ${paint.yellow(note.kind)} ${note.reason}: ${note.text}${where(note.rows)}`);
    const held = stand === 'replaced' ? paint.dim('held  ') : paint.yellow('waits ');
    const lineOf = (change: Change): string =>
      changeLine(change, run.heldTypes.includes(change.type) ? held : '      ');
    await sayFirst(screen, history.changes(run), options.limit ?? usualLines, lineOf, `rosterd show ${run.run}`);
    return exit.done;
  });
}

/** The changes of a run, each with whether it waits. */
async function* withHeld(history: History, run: Run): AsyncGenerator<Change & { held: boolean }> {
  for await (const change of history.changes(run)) yield { ...change, held: run.heldTypes.includes(change.type) };
}

/** A change on one line, behind a mark: what, whom, from what to what, by which rule. */
export function changeLine(change: Change, mark: string): string {
  const who = change.account ? `${change.account.account} ${change.account.id ?? change.account.email}` : '';
  const what = change.course ? courseTitle(change.course) : '';
  const fields = change.before
    ? Object.keys(change.after ?? {})
        .map((field) => fieldText(field, valueIn(change.before, field), valueIn(change.after, field)))
        .join(', ')
    : '';
  return `  ${mark}${change.type.padEnd(16)} ${[who, what, fields].filter(Boolean).join('  ')}  ${paint.dim(change.rule + where(change.rows))}`;
}

function valueIn(fields: object | null, name: string): unknown {
  return (fields as Record<string, unknown> | null)?.[name];
}

/** A field with what it was and what it is. */
export function fieldText(name: string, before: unknown, after: unknown): string {
  return `${name}: ${JSON.stringify(before ?? null)} → ${JSON.stringify(after ?? null)}`;
}

function where(rows: Change['rows']): string {
  const row = rows[0];
  return row ? ` (${placeText(row)})` : '';
}

/** Where a row stands, without the folder. Some rows have a name of their own instead of a line. */
export function placeText({ file, line }: { file: string; line: number }): string {
  return plainLine(line ? `${file.split('/').at(-1)}:${line}` : file);
}
