import { plainLine } from '../base/plain.ts';
import { courseTitle } from '../connector/target.ts';
import { hasCourse } from '../snapshot/record.ts';
import type { ExplainedChange, ExplainedItem, ExplainedRow, Explanation } from './explain.ts';
import { changeLine, withHistory } from './runs.ts';
import { paint, type Screen } from './screen.ts';
import { exit } from './session.ts';

/** `explain WHO`: why a person or a course is as it is. */
export async function explainWho(
  who: string,
  options: { config: string; limit: number; json: boolean },
): Promise<number> {
  return withHistory(options, async (history, screen) => {
    const found = await history.explain(who, options.limit);
    if (screen.human) print(screen, found);
    else screen.json(found);
    return exit.done;
  });
}

function print(screen: Screen, { who, accounts, course, rows, open, history, more, items }: Explanation): void {
  for (const { account, id, email, firstName, lastName, kind, status, source, enrolments } of accounts) {
    const name = [id, email, `${firstName} ${lastName}`].filter(Boolean).map((text) => plainLine(text!));
    const state = status === 'active' ? paint.green(status) : paint.yellow(status);
    screen.say(`${account}  ${state}  ${kind}  ${name.join('  ')}  ${paint.dim(`by ${source}`)}`);
    for (const one of enrolments) screen.say(`  in ${plainLine(courseTitle(one))}`);
  }
  if (course)
    screen.say(
      `${plainLine(courseTitle(course))}  ${course.status}  ${course.enrolled.toLocaleString('en')} enrolled, ` +
        `${course.rows ? 'named' : 'not named'} by the sources now`,
    );
  else if (!accounts.length) screen.say(`no account is known as ${plainLine(who)}`);
  if (rows.length) screen.say('\nrows');
  for (const row of rows) screen.say(`  ${rowText(row)}`);
  if (open.length) screen.say('\nin the way now');
  for (const { source, kind, reason, text } of open)
    screen.say(`  ${paint.yellow(kind)} ${reason}: ${plainLine(text)}  ${paint.dim(source)}`);
  screen.say(history.length ? '\nchanges, newest first' : '\nno change is kept');
  for (const change of history) {
    screen.say(changeLine(change, `${whenOf(change)} ${marks[change.became]} `));
    for (const item of change.targets) screen.say(`      ${itemText(item)}`);
  }
  if (more) screen.say(paint.dim('  … older ones: --limit N'));
  if (items.length) screen.say('\nelse in the queue');
  for (const item of items) screen.say(`  ${item.type.padEnd(16)} ${itemText(item)}`);
}

const marks: Readonly<Record<ExplainedChange['became'], string>> = {
  applied: paint.green('applied '),
  waits: paint.yellow('waits   '),
  replaced: paint.dim('replaced'),
  rejected: paint.red('rejected'),
  planned: paint.cyan('planned '),
  other: paint.dim('        '),
};

function whenOf({ at }: ExplainedChange): string {
  return paint.dim(at.slice(0, 16).replace('T', ' '));
}

function rowText({ state, record, hints, origin: { source, snapshot, file, line } }: ExplainedRow): string {
  const place = paint.dim(`${source}-${snapshot} ${plainLine(line ? `${file}:${line}` : file)}`);
  const who = [(record ?? hints)?.id, (record ?? hints)?.email].filter(Boolean).map((text) => plainLine(text!));
  const what = record ? (hasCourse(record) ? plainLine(courseTitle(record)) : 'without a course') : 'cannot be read';
  return [state === 'gone' ? paint.red('gone') : 'now ', ...who, what, place].join('  ');
}

function itemText({ target, status, answer }: ExplainedItem): string {
  const colour = status === 'failed' ? paint.red : status === 'sent' ? paint.green : paint.dim;
  return `${target}: ${colour(status)}${answer === null ? '' : `  ${plainLine(answer)}`}`;
}
