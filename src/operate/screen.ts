import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import pc from 'picocolors';
import { plain, plainJson, plainLine } from '../base/plain.ts';

/**
 * How results look: tables and colour on a terminal, JSON elsewhere or when asked. Whatever it is made of, nothing that a
 * terminal obeys gets out, but for line ends and the colours of `paint`.
 */
export interface Screen {
  /** True when a person reads standard output. */
  human: boolean;
  /** Writes text for a person, with a line end. */
  say(text?: string): void;
  /** Writes one JSON value as one line. */
  json(value: unknown): void;
}

/** Standard output; `json` as asked on the command line. */
export function openScreen(json: boolean): Screen {
  const write = (text: string): void => {
    process.stdout.write(text);
  };
  return {
    human: !json && process.stdout.isTTY === true,
    say: (text = '') => write(`${painted(text, plain)}\n`),
    json: (value) => write(`${forTerminal(JSON.stringify(value))}\n`),
  };
}

/** JSON is for programs, who get it as it is; a terminal gets the same in other letters. */
function forTerminal(json: string): string {
  return process.stdout.isTTY === true ? plainJson(json) : json;
}

const { NO_COLOR, FORCE_COLOR, TERM } = process.env;

/** Colours for standard output: on a terminal only, unless the environment says otherwise. */
export const paint = pc.createColors(
  !NO_COLOR && (!!FORCE_COLOR || (process.stdout.isTTY === true && TERM !== 'dumb')),
);

/** What `paint` makes; a piece of text that has the same in it is at least no more than coloured. */
const colours = /(\x1b\[(?:[127]|22|27|3[1236]|39)m)/;

/** Makes everything plain but the colours, where there are any. */
function painted(text: string, plainly: (text: string) => string): string {
  if (!paint.isColorSupported) return plainly(text);
  return text
    .split(colours)
    .map((piece, at) => (at % 2 ? piece : plainly(piece)))
    .join('');
}

/** Columns that text for people may take. */
export function screenWidth(): number {
  return process.stdout.columns || 80;
}

type Cell = string | number;

/**
 * A table with a head. Counts get separators; columns of counts, of other digits and of gaps are set flush right. When
 * it is wider than the screen, its last column is wrapped.
 */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], width = screenWidth()): string {
  const drawn = draw(head, rows, null);
  const over = Math.max(...drawn.map((line) => stripVTControlCharacters(line).length)) - width;
  if (over <= 0) return drawn.join('\n');
  const last = head.length - 1;
  const longest = Math.max(
    head[last]!.length,
    ...rows.map((row) => stripVTControlCharacters(shown(row[last]!)).length),
  );
  return longest <= narrowest ? drawn.join('\n') : draw(head, rows, Math.max(longest - over, narrowest)).join('\n');
}

/** A column is not wrapped to less: text in syllables is worse than lines that the terminal breaks. */
const narrowest = 16;

function draw(head: readonly string[], rows: readonly (readonly Cell[])[], lastWidth: number | null): string[] {
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => isNumeric(row[column]!)));
  const table = new Table({
    head: head.map((title) => paint.bold(plainLine(title))),
    colAligns: numeric.map((is) => (is ? 'right' : 'left')),
    colWidths: lastWidth === null ? [] : [...Array<null>(head.length - 1).fill(null), lastWidth],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    chars: plainBorders,
    wordWrap: true,
  });
  for (const row of rows) table.push(row.map(shown));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

function shown(cell: Cell): string {
  return typeof cell === 'number' ? cell.toLocaleString('en') : painted(cell, plainLine);
}

function isNumeric(cell: Cell): boolean {
  return typeof cell === 'number' || /^(\d+|–|)$/.test(cell);
}

const plainBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '  ',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** One line on standard error that says what is being done now, and is gone when the result comes. */
export interface Progress {
  report(who: string, text: string): void;
  done(): void;
}

/** What somebody said is shown for so long after the last word: three targets at work share the line. */
const freshMs = 2_000;

/** On a terminal a line that is rewritten; elsewhere nothing, because a log full of percentages helps nobody. */
export function openProgress(): Progress {
  if (!process.stderr.isTTY) return { report: () => {}, done: () => {} };
  const said = new Map<string, { text: string; at: number }>();
  let last = 0;
  return {
    report(who, text) {
      const now = performance.now();
      said.set(who, { text, at: now });
      if (now - last < 80) return;
      last = now;
      const fresh = [...said].filter(([, { at }]) => now - at < freshMs).map(([name, { text }]) => `${name}: ${text}`);
      const width = (process.stderr.columns || 80) - 1;
      process.stderr.write(`\r\u001b[K${pc.dim(plainLine(fresh.join('  ')).slice(0, width))}`);
    },
    done() {
      said.clear();
      process.stderr.write('\r\u001b[K');
    },
  };
}

/** Writes JSON to standard output and waits until it is taken; false when nobody reads any more, which is no failure. */
export function writeOut(json: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    process.stdout.write(forTerminal(json), (error: NodeJS.ErrnoException | null | undefined) => {
      if (error && error.code !== 'EPIPE') reject(error);
      else resolve(!error);
    });
  });
}

/**
 * Writes an object to standard output with a list as its last field, piece by piece and at the pace of whoever reads: the list
 * may have more entries than memory should hold.
 */
export async function writeWithList(head: object, name: string, entries: AsyncIterable<unknown>): Promise<void> {
  await writeOut(`${JSON.stringify(head).slice(0, -1)},"${name}":[`);
  let separator = '';
  for await (const entry of entries) {
    if (!(await writeOut(`${separator}${JSON.stringify(entry)}`))) return;
    separator = ',';
  }
  await writeOut(']}\n');
}

/** Says a line of each of the first entries; of a list that has more, `again` is the command that shows them. */
export async function sayFirst<T>(
  screen: Screen,
  entries: AsyncIterable<T>,
  limit: number,
  lineOf: (entry: T) => string,
  again: string,
): Promise<void> {
  let shown = 0;
  for await (const entry of entries) {
    if (shown === limit) {
      screen.say(paint.dim(`  … more: ${again} --limit N, or --json for all`));
      return;
    }
    shown += 1;
    screen.say(lineOf(entry));
  }
}

/** A time for people, to the second, in UTC. */
export function timeText(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
