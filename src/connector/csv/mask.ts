import type { RowSink } from '../source.ts';

/**
 * Rows on their way to their digests, without what may not be digested: who reads the store knows most of a row, and could
 * try out which password makes its digest. What is masked keeps its length, because a row is found again by where it lies.
 */

const QUOTE = 34;
const MASK = 42;
/** A row that cannot be cut is known by where it stands: that takes so many bytes. */
const placeBytes = 6;

/** The columns of a part that are masked, and how its rows are cut. */
export interface MaskRules {
  /** Places of the columns, ascending. */
  at: readonly number[];
  columns: number;
  delimiter: string;
}

/** A sink that masks; parts without rules go through as they are. */
export function masking(sink: RowSink, rules: readonly (MaskRules | null)[]): RowSink {
  if (rules.every((rule) => rule === null)) return sink;
  return {
    row(bytes, start, end, part, offset, line) {
      const rule = rules[part] ?? null;
      if (rule === null) return sink.row(bytes, start, end, part, offset, line);
      const row = Buffer.from(bytes.subarray(start, end));
      const cells = cellPlaces(row, rule.delimiter.charCodeAt(0));
      if (cells?.length === rule.columns) for (const at of rule.at) row.fill(MASK, ...cells[at]!);
      else if (row.length >= placeBytes) {
        // nobody can tell which of its bytes are the password; as it is quarantined, no cell of it counts
        row.fill(MASK);
        row.writeUInt16BE(part, 0);
        row.writeUInt32BE(line, 2);
      }
      sink.row(row, 0, row.length, part, offset, line);
    },
  };
}

/** Where each cell begins and ends, its quotes included; null for a row that is no CSV. */
function cellPlaces(row: Buffer, delimiter: number): [start: number, end: number][] | null {
  const cells: [number, number][] = [];
  for (let start = 0; ; ) {
    let end: number;
    if (row[start] === QUOTE) {
      let close = row.indexOf(QUOTE, start + 1);
      while (close !== -1 && row[close + 1] === QUOTE) close = row.indexOf(QUOTE, close + 2);
      end = close + 1;
      if (close === -1 || (end < row.length && row[end] !== delimiter)) return null;
    } else {
      end = row.indexOf(delimiter, start);
      if (end === -1) end = row.length;
      if (row.subarray(start, end).includes(QUOTE)) return null;
    }
    cells.push([start, end]);
    if (end >= row.length) return cells;
    start = end + 1;
  }
}
