import type { Judge, Lacking } from '../connector/columns.ts';
import type { Format } from '../snapshot/formats/index.ts';

/** What a format will say to rows of these columns, before they are a snapshot. */
export function judgeOf(format: Format, columns: readonly string[], lacking: Lacking): Judge {
  const { required, optional } = format.columns;
  const hasAll = lacking === 'blank' || [...required, ...optional].every((column) => columns.includes(column));
  const normalise = hasAll ? format.normaliser(columns, true) : null;
  const judgePart = lacking === 'blank' ? null : format.partJudge(columns, true);
  return (cells) => {
    if (judgePart && (!normalise || cells.includes(null))) return judgePart(cells);
    const read = normalise!(cells as readonly string[]);
    return 'quarantined' in read ? { column: read.quarantined.column, reason: read.quarantined.reason } : null;
  };
}
