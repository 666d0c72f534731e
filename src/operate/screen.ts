import Table from 'cli-table3';
import pc from 'picocolors';

/** How results look: tables and colour on a terminal, JSON elsewhere or when asked. */
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
    say: (text = '') => write(`${text}\n`),
    json: (value) => write(`${JSON.stringify(value)}\n`),
  };
}

/** A table with a head; numbers are set flush right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  const drawn = new Table({
    head: head.map((title) => pc.bold(title)),
    colAligns: numeric.map((is) => (is ? 'right' : 'left')),
    style: { head: [], border: [] },
    chars: plainBorders,
    wordWrap: true,
  });
  for (const row of rows) drawn.push(row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)));
  return drawn.toString();
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

/** On a terminal a line that is rewritten; elsewhere nothing, because a log full of percentages helps nobody. */
export function openProgress(): Progress {
  if (!process.stderr.isTTY) return { report: () => {}, done: () => {} };
  let last = 0;
  return {
    report(who, text) {
      if (performance.now() - last < 80) return;
      last = performance.now();
      const width = (process.stderr.columns ?? 80) - 1;
      process.stderr.write(`\r\u001b[K${pc.dim(`${who}: ${text}`.slice(0, width))}`);
    },
    done() {
      process.stderr.write('\r\u001b[K');
    },
  };
}
