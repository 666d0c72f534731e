import { Incomplete } from '../../base/errors.ts';
import { attributePrefix } from '../../configure/canonical.ts';
import type { FieldMap, FieldSource, FormatConfig, Role } from '../../configure/config.ts';
import { isSecret } from '../../connector/passwords.ts';
import type { ColumnExpectation } from '../../connector/source.ts';
import type { Normaliser } from '../record.ts';
import { mapColumns, mapText } from './map.ts';
import { compileNormaliser, compilePartJudge, type PartJudge } from './normaliser.ts';
import { unituColumns, unituFields } from './unitu.ts';

/** How the rows of a source become records. */
export interface Format {
  /** Another text means that the same row may give another record, so every row has to be read again. */
  fingerprint: string;
  columns: ColumnExpectation;
  /** Columns of a header that would be taken in, were they not of passwords; for whoever has to be told. */
  passwords(columns: readonly string[]): string[];
  /**
   * Compiles the format for one header; with `lists` a cell may have several values. Throws `Incomplete` when a column that it needs is missing or is there twice:
   * read as blank, a missing column would empty a field of everybody.
   */
  normaliser(columns: readonly string[], lists?: true): Normaliser;
  /** The same rules for rows that bring only some columns, or only some cells of them. Throws as `normaliser` does. */
  partJudge(columns: readonly string[], lists?: true): PartJudge;
}

/** Version of the field rules. A change of what any rule accepts or gives needs the next number. */
const rules = 1;
/**
 * Version of what becomes of columns that nothing maps, told apart so that a change of it costs nobody else a new reading
 * of every row. 2: those of passwords became attributes before, and an unchanged file must not leave them where they are.
 */
const restRules = 2;

/** The format that a source's configuration asks for. */
export function formatOf(config: FormatConfig, role: Role = 'authoritative'): Format {
  const marked = (text: string): string => (role === 'directory' ? `directory ${text}` : text);
  if (config.kind === 'unitu') return format(marked(`unitu rules=${rules}`), unituColumns, unituFields, role);
  if (config.kind === 'map')
    return format(
      marked(`map rules=${rules} ${mapText(config.fields)}`),
      mapColumns(config.fields),
      config.fields,
      role,
    );
  const { name, columns, fields, rest } = config;
  const versions = rest ? `rules=${rules} rest=${restRules}` : `rules=${rules}`;
  return format(marked(`${name} ${versions} ${mapText(fields)}`), columns, fields, role, rest);
}

function format(
  fingerprint: string,
  columns: ColumnExpectation,
  fields: FieldMap,
  role: Role,
  rest: boolean = false,
): Format {
  const known = new Set([...columns.required, ...columns.optional]);
  /** True for a column that nothing maps, and that is taken in all the same. */
  const isTaken = (column: string): boolean =>
    !known.has(column) && (rest || (columns.objects ?? []).some((object) => column.startsWith(`${object}.`)));
  const fieldsOf = (header: readonly string[]): FieldMap => {
    const custom = header.filter((column) => isTaken(column) && !isSecret(columns, column));
    return custom.length ? withCustom(fields, custom) : fields;
  };
  return {
    fingerprint,
    columns,
    passwords: (header) =>
      header.filter((column) => isSecret(columns, column) && (columns.secret !== undefined || isTaken(column))),
    normaliser(header, lists) {
      const missing = columns.required.filter((column) => !header.includes(column));
      if (missing.length > 0)
        throw new Incomplete(
          `${missing.length === 1 ? 'the column is' : 'columns are'} missing: ${missing.join(', ')}`,
        );
      return compileNormaliser(fieldsOf(header), header, role, lists);
    },
    partJudge: (header, lists) => compilePartJudge(fieldsOf(header), header, role, lists),
  };
}

/** Columns that nothing maps, as attributes under their own names. */
function withCustom(fields: FieldMap, columns: readonly string[]): FieldMap {
  const custom = columns.map((column) => [attributePrefix + column, { ...plain, columns: [column] }] as const);
  const taken = custom.find(([field, { columns }]) => field in fields || columns[0] === '');
  if (taken)
    throw new Incomplete(`the column "${taken[1].columns[0]}" cannot become an attribute: the name is taken or blank`, {
      remedy: 'name it otherwise, or map it to a field',
    });
  return { ...fields, ...Object.fromEntries(custom) };
}

const plain: FieldSource = { columns: [], join: '', constant: null, values: null };
