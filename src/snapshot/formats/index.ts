import { Incomplete } from '../../base/errors.ts';
import type { FieldMap, FormatConfig, Role } from '../../configure/config.ts';
import type { ColumnExpectation } from '../../connector/source.ts';
import type { Normaliser } from '../record.ts';
import { mapColumns, mapText } from './map.ts';
import { compileNormaliser } from './normaliser.ts';
import { unituColumns, unituFields } from './unitu.ts';

/** How the rows of a source become records. */
export interface Format {
  /** Another text means that the same row may give another record, so every row has to be read again. */
  fingerprint: string;
  columns: ColumnExpectation;
  /**
   * Compiles the format for one header; with `lists` a cell may have several values. Throws `Incomplete` when a column that it needs is missing or is there twice:
   * read as blank, a missing column would empty a field of everybody.
   */
  normaliser(columns: readonly string[], lists?: true): Normaliser;
}

/** Version of the field rules. A change of what any rule accepts or gives needs the next number. */
const rules = 1;

/** The format that a source's configuration asks for. */
export function formatOf(config: FormatConfig, role: Role = 'authoritative'): Format {
  if (config.kind === 'unitu') return format(`unitu rules=${rules}`, unituColumns, unituFields, role);
  return format(`map rules=${rules} ${mapText(config.fields)}`, mapColumns(config.fields), config.fields, role);
}

function format(fingerprint: string, columns: ColumnExpectation, fields: FieldMap, role: Role): Format {
  return {
    fingerprint: role === 'directory' ? `directory ${fingerprint}` : fingerprint,
    columns,
    normaliser(header, lists) {
      const missing = columns.required.filter((column) => !header.includes(column));
      if (missing.length > 0)
        throw new Incomplete(
          `${missing.length === 1 ? 'the column is' : 'columns are'} missing: ${missing.join(', ')}`,
        );
      return compileNormaliser(fields, header, role, lists);
    },
  };
}
