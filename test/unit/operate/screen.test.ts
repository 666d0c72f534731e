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
