import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { table } from '../../../src/operate/screen.ts';

/** Tests run without a terminal, so nothing here has colour. */
const lines = (head: string[], rows: (string | number)[][], width?: number): string[] =>
  table(head, rows, width).split('\n');

describe('a table', () => {
  it('sets counts flush right with separators, words flush left', () => {
    expect(
      lines(
        ['change', 'count'],
        [
          ['account.create', 2990],
          ['course.create', 1],
        ],
      ),
    ).toEqual(['  change          count', '  account.create  2,990', '  course.create       1']);
  });

  it('leaves digits that are no counts as they are, and takes gaps for numbers', () => {
    expect(
      lines(
        ['line', 'courses'],
        [
          ['1340', 60],
          ['7', '–'],
        ],
      ),
    ).toEqual(['  line  courses', '  1340       60', '     7        –']);
  });

  it('wraps its last column when it is wider than the screen', () => {
    const reason = 'lastName contains a damaged character (wrong encoding?)';
    const drawn = lines(['line', 'reason'], [['3', reason]], 40);
    expect(drawn.length).toBeGreaterThan(2);
    for (const line of drawn) expect(line.length).toBeLessThanOrEqual(40);
    expect(
      drawn
        .slice(1)
        .map((line) => line.slice(8))
        .join(' '),
    ).toBe(reason);
  });

  it('does not wrap what would only become unreadable', () => {
    expect(lines(['name', 'count'], [['a name that is far too long for this screen', 12]], 20)).toHaveLength(2);
  });

  it('counts characters that take two columns as two', () => {
    expect(
      lines(
        ['name', 'year'],
        [
          ['欧阳', '1'],
          ['Hall', '2'],
        ],
      ),
    ).toEqual(['  name  year', '  欧阳     1', '  Hall     2']);
  });

  it('has a head when it has no rows', () => {
    expect(lines(['run', 'status'], [])).toEqual(['  run  status']);
  });
});

describe('what a terminal would obey', () => {
  const colour = '\u001b[31m';
  /** Runs a piece of code with the screen in a process of its own, with colours. */
  const said = (code: string): string =>
    execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { openProgress, openScreen, paint, table } from ${JSON.stringify(fileURLToPath(new URL('../../../src/operate/screen.ts', import.meta.url)))};
        const data = JSON.parse(process.argv[1]); const screen = openScreen(false); ${code}`,
        JSON.stringify('a\u001b[2Jb\u001b]52;c;eA==\u0007\u009b1A\u202ecsv\r\u001b[8mc'),
      ],
      { encoding: 'utf8', env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '1' } },
    );
  const shown = 'a\\u{1b}[2Jb\\u{1b}]52;c;eA==\\u{7}\\u{9b}1A\\u{202e}csv\\u{d}\\u{1b}[8mc';

  it('is shown and not obeyed, and the colours are', () => {
    expect(said('screen.say(paint.red("bad") + "\\n" + data)')).toBe(`${colour}bad\u001b[39m\n${shown}\n`);
    expect(said('screen.say(paint.red(data))')).toBe(`${colour}${shown}\u001b[39m\n`);
  });

  it('is shown in the cells of a table, where a line end makes no line either', () => {
    const lines = said('screen.say(table(["file", "line"], [[data + "\\nx", 1]]))').trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toBe(`  ${shown}\\u{a}x     1`);
  });
});
