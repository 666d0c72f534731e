import { plainLine } from '../base/plain.ts';
import { courseTitle } from '../connector/target.ts';
import { fieldsOf, type RowDifference, type SeenRow } from '../snapshot/differences.ts';
import { hasCourse } from '../snapshot/record.ts';
import type { SnapshotLine } from './history.ts';
import { withHistory } from './runs.ts';
import { paint, table, writeOut } from './screen.ts';
import { exit } from './session.ts';

/** `snapshots`: those that are kept, newest first, with the files or queries that each was read from. */
export async function listSnapshots(options: {
  config: string;
  source?: string;
  limit: number;
  json: boolean;
}): Promise<number> {
  return withHistory(options, async (history, screen) => {
    const snapshots = await history.snapshots({
      limit: options.limit,
      ...(options.source === undefined ? {} : { source: options.source }),
    });
    if (!screen.human) for (const snapshot of snapshots) screen.json(snapshot);
    else if (!snapshots.length) screen.say('no snapshots yet');
    else
      screen.say(
        table(
          ['snapshot', 'taken', '', 'records', 'quarantined', 'added', 'gone', 'from'],
          snapshots.map((one) => [
            ...[one.snapshot, timeOf(one), one.inForce ? paint.green('in force') : ''],
            ...[one.records, one.quarantined, one.added, one.gone],
            one.parts.map(({ name }) => plainLine(name)).join(', '),
          ]),
        ),
      );
    return exit.done;
  });
}

function timeOf({ at }: SnapshotLine): string {
  return at.slice(0, 19).replace('T', ' ');
}

const marks = {
  added: paint.green('+ added    '),
  gone: paint.red('- gone     '),
  changed: paint.yellow('~ changed  '),
  rewritten: paint.dim('= rewritten'),
} as const;

/** `compare FROM TO`: what the second snapshot has that the first has not, and the other way round, person by person. */
export async function compare(
  from: string,
  to: string,
  options: { config: string; limit?: number; json: boolean },
): Promise<number> {
  return withHistory(options, async (history, screen) => {
    const { rows, ...head } = await history.compare(from, to);
    if (!screen.human) {
      // piece by piece, at the pace of whoever reads: two snapshots may have nothing in common
      await writeOut(`${JSON.stringify(head).slice(0, -1)},"differences":[`);
      let separator = '';
      for await (const row of rows()) {
        if (!(await writeOut(`${separator}${JSON.stringify(row)}`))) return exit.done;
        separator = ',';
      }
      await writeOut(']}\n');
      return exit.done;
    }
    for (const one of [head.from, head.to])
      screen.say(`${one.snapshot}  ${timeOf(one)}  ${one.records.toLocaleString('en')} records  ${partsOf(one)}`);
    screen.say(`${head.added.toLocaleString('en')} rows added, ${head.gone.toLocaleString('en')} gone`);
    let shown = 0;
    for await (const row of rows()) {
      if (shown === (options.limit ?? 200)) {
        screen.say(paint.dim(`  … more: rosterd compare ${from} ${to} --limit N, or --json for all`));
        break;
      }
      shown += 1;
      screen.say(lineOf(row));
    }
    return exit.done;
  });
}

function partsOf({ parts }: SnapshotLine): string {
  return paint.dim(parts.map(({ name }) => plainLine(name)).join(', '));
}

function lineOf({ what, person, from, to, fields }: RowDifference): string {
  const row = (to ?? from)!;
  const differing = from?.record && to?.record ? fields.map((name) => fieldText(name, from, to)).join(', ') : '';
  const unread = row.reason === null ? '' : `cannot be read: ${plainLine(row.reason)}`;
  const place = paint.dim(`(${[from, to].flatMap((seen) => (seen ? placeOf(seen) : [])).join(' → ')})`);
  return `  ${marks[what]} ${[whoOf(row, person), differing, unread, place].filter(Boolean).join('  ')}`;
}

/** Of a row that cannot be read only what its person is looked up by is known, behind the letter of what that is. */
function whoOf({ record }: SeenRow, person: string | null): string {
  if (!record) return plainLine(person?.slice(2) ?? '');
  const course = hasCourse(record) ? courseTitle(record) : '';
  return [record.id ?? record.number, record.email, course]
    .filter(Boolean)
    .map((text) => plainLine(text!))
    .join('  ');
}

function fieldText(name: string, from: SeenRow, to: SeenRow): string {
  const text = (seen: SeenRow): string => JSON.stringify(fieldsOf(seen.record!).get(name) ?? null);
  return `${name}: ${text(from)} → ${text(to)}`;
}

function placeOf({ file, line }: SeenRow): string {
  return plainLine(line ? `${file.split('/').at(-1)}:${line}` : file);
}
