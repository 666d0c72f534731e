import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Incomplete } from '../../src/base/errors.ts';
import type { Answer, SourceConnector } from '../../src/connector/source.ts';

/** A source whose answers a test writes down. Columns are those of Unitu's list. */

/** Cells in the order of `memoryColumns`; a text is a row that cannot even be told apart into cells. */
export type MemoryRow = readonly string[] | string;

export const memoryColumns = ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'year', 'id'];

/** What the source says when it is asked next. */
export interface MemorySettings {
  answer: readonly MemoryRow[] | 'incomplete' | 'nothing new';
}

export const memorySource: SourceConnector<MemorySettings> = {
  kind: 'memory',
  direction: 'source',
  description: 'rows that a test wrote down',
  settings: z.custom<MemorySettings>(),
  async pull({ answer }) {
    if (answer === 'incomplete') throw new Incomplete('page 2 of 3 is missing');
    return answer === 'nothing new' ? null : answerOf(answer);
  },
  async probe() {
    return [];
  },
};

function answerOf(rows: readonly MemoryRow[]): Answer {
  const lines = rows.map((row) => Buffer.from(JSON.stringify(row)));
  const whole = Buffer.concat(lines.map((line) => Buffer.concat([line, Buffer.from('\n')])));
  const content = createHash('sha256').update(whole).digest('hex');
  return {
    content,
    parts: [
      { name: 'memory', bytes: whole.length, sha256: content, modified: null, columns: memoryColumns, layout: 'json' },
    ],
    async scan(sink) {
      let offset = 0;
      lines.forEach((line, at) => {
        sink.row(whole, offset, offset + line.length, 0, offset, at + 2);
        offset += line.length + 1;
      });
    },
    async decode(places) {
      return places.map(({ offset, length }) => {
        const row = JSON.parse(whole.toString('utf8', offset, offset + length)) as MemoryRow;
        return typeof row === 'string' ? { broken: 'no cells', column: null } : { cells: row };
      });
    },
    async accepted() {},
    async close() {},
  };
}
