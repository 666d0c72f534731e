import { plainLine } from '../base/plain.ts';
import { courseTitle } from '../connector/target.ts';
import { fieldsOf, type RowDifference, type SeenRow } from '../snapshot/differences.ts';
import { hasCourse } from '../snapshot/record.ts';
import type { SnapshotLine } from './history.ts';
import { fieldText, type ListOptions, placeText, usualLines, withHistory } from './runs.ts';
import { paint, sayFirst, table, timeText, writeWithList } from './screen.ts';
import { exit } from './session.ts';

/** `snapshots`: those that are kept, newest first, with the files or queries that each was read from. */
export async function listSnapshots(options: ListOptions): Promise<number> {
  return withHistory(options, async (history, screen) => {
    const snapshots = await history.snapshots(options);
    if (!screen.human) for (const snapshot of snapshots) screen.json(snapshot);
    else if (!snapshots.length) screen.say('no snapshots yet');
    else
      screen.say(
        table(
          ['snapshot', 'taken', '', 'records', 'quarantined', 'added', 'gone', 'from'],
          snapshots.map((one) => [
            ...[one.snapshot, timeText(one.at), one.inForce ? paint.green('in force') : ''],
            ...[one.records, one.quarantined, one.added, one.gone],
            partsOf(one),
          ]),
        ),
      );
    return exit.done;
  });
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
      await writeWithList(head, 'differences', rows());
      return exit.done;
    }
    for (const one of [head.from, head.to])
      screen.say(
        `${one.snapshot}  ${timeText(one.at)}  ${one.records.toLocaleString('en')} records  ${paint.dim(partsOf(one))}`,
      );
    screen.say(`${head.added.toLocaleString('en')} rows added, ${head.gone.toLocaleString('en')} gone`);
    await sayFirst(screen, rows(), options.limit ?? usualLines, lineOf, `rosterd compare ${from} ${to}`);
    return exit.done;
  });
}

function partsOf({ parts }: SnapshotLine): string {
  return parts.map(({ name }) => plainLine(name)).join(', ');
}

function lineOf({ what, person, from, to, fields }: RowDifference): string {
  const row = (to ?? from)!;
  const [before, after] = [from, to].map((seen) => seen?.record && fieldsOf(seen.record));
  const differing = fields.map((name) => fieldText(name, before?.get(name), after?.get(name))).join(', ');
  const unread = row.reason === null ? '' : `cannot be read: ${plainLine(row.reason)}`;
  const place = paint.dim(`(${[from, to].flatMap((seen) => (seen ? placeText(seen) : [])).join(' → ')})`);
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
