import type { ReceiveContext } from '../connector/inbox.ts';
import type { Format } from '../snapshot/formats/index.ts';

/** What a format will say to rows of these columns, before there is a run. */
export function judgeOf(format: Format, columns: readonly string[]): ReturnType<ReceiveContext['judge']> {
  const normalise = format.normaliser(columns, true);
  return (cells) => {
    const read = normalise(cells);
    return 'quarantined' in read ? { column: read.quarantined.column, reason: read.quarantined.reason } : null;
  };
}
