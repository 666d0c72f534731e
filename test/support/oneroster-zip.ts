import { join } from 'node:path';
import { strToU8, type Zippable, zipSync } from 'fflate';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import { columnsOf, tablesOf, type Version } from '../../connectors/csv-drop/oneroster-tables.ts';
import type { EntityName } from '../../src/connector/oneroster/entities.ts';
import { drop, dropContext, dropSettings, failure, type ReadRow, readAll, temporaryFolder } from './drop.ts';

/** Zips of OneRoster CSV, whole and spoiled, and a folder that they are dropped into. */

/** Rows of a table. */
export type Rows = Record<string, string>[];
/** A set. */
export type Tables = Partial<Record<EntityName, Rows>>;

/** Three people, two of them in a class. */
export const small: Required<Omit<Tables, 'roles'>> = {
  orgs: [
    { sourcedId: 'school', name: 'School of Engineering', type: 'school' },
    { sourcedId: 'dept', name: 'Mechanical Engineering', type: 'department', parentSourcedId: 'school' },
  ],
  academicSessions: [{ sourcedId: 't1', title: 'Autumn 2025', startDate: '2025-09-01', endDate: '2026-01-31' }],
  courses: [{ sourcedId: 'k1', title: 'Car Design', courseCode: 'CAR1', orgSourcedId: 'dept' }],
  classes: [
    {
      sourcedId: 'c1',
      title: 'Car Design A',
      courseSourcedId: 'k1',
      classCode: 'A',
      schoolSourcedId: 'school',
      termSourcedIds: 't1',
    },
  ],
  users: ['u1', 'u2', 'u3'].map((id) => ({
    sourcedId: id,
    enabledUser: 'true',
    orgSourcedIds: 'dept',
    primaryOrgSourcedId: 'dept',
    role: 'student',
    username: `user-${id}`,
    givenName: `Given "${id}"`,
    familyName: 'Example, Line\nBreak',
    preferredGivenName: `Pref ${id}`,
    email: `${id}@example.edu`,
    grades: '11,12',
  })),
  enrollments: [
    {
      sourcedId: 'e1',
      classSourcedId: 'c1',
      schoolSourcedId: 'school',
      userSourcedId: 'u1',
      role: 'student',
      primary: 'false',
      endDate: '2026-07-01',
    },
    {
      sourcedId: 'e2',
      classSourcedId: 'c1',
      schoolSourcedId: 'school',
      userSourcedId: 'u2',
      role: 'teacher',
      primary: 'true',
    },
  ],
};
const roles = ['u1', 'u2', 'u3'].map((id) => ({
  sourcedId: `r-${id}`,
  userSourcedId: id,
  roleType: 'primary',
  role: 'student',
  orgSourcedId: 'dept',
}));
/** The same in 1.2. */
export const small12: Tables = { ...small, roles };

const quoted = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
/** A file. */
export const table = (columns: string[], rows: Rows, more = '') =>
  [
    columns.join() + more,
    ...rows.map((row) => columns.map((column) => quoted(row[column] ?? '')).join() + (more && ',')),
  ]
    .map((line) => `${line}\n`)
    .join('');

const later = { dateLastModified: '2026-01-10T00:00:00Z' };
/** A row as a delta has it. */
export const changed = (row: Record<string, string>, status = 'active') => ({ ...row, status, ...later });

export interface SetOptions {
  version?: Version;
  /** `bulk` unless said otherwise; tables that are not given are absent. */
  kinds?: Partial<Record<EntityName, 'bulk' | 'delta' | 'absent'>>;
  kind?: 'bulk' | 'delta';
  /** Changes what goes into the zip. */
  spoil?: (files: Record<string, string>) => void;
  zip?: (files: Zippable) => Uint8Array;
}

/** A zip. */
export function set(
  tables: Tables,
  { version = '1.1', kinds = {}, kind = 'bulk', spoil, zip = zipSync }: SetOptions = {},
) {
  const files: Record<string, string> = {};
  const manifest = [
    'propertyName,value',
    'manifest.version,1.0',
    `oneroster.version,${version}`,
    'source.systemName,SIS',
  ];
  for (const name of tablesOf(version)) {
    const rows = tables[name];
    const is = kinds[name] ?? (rows ? kind : 'absent');
    manifest.push(`file.${name},${is}`);
    if (rows) files[`${name}.csv`] = table(columnsOf(name, version), rows);
  }
  manifest.push('file.results,absent');
  files['manifest.csv'] = `${manifest.join('\r\n')}\r\n`;
  spoil?.(files);
  return Buffer.from(zip(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)]))));
}

export const short = ['sourcedId', 'class.sourcedId', 'enrolment.role'];
export const settings = (folder: string, more = {}) =>
  dropSettings(`file://${folder}`, { files: '*.zip', contents: 'oneroster', ...more });
export const context = (changes = {}, columns: readonly string[] = short) =>
  dropContext({ columns: { required: columns, optional: [], exact: false }, ...changes });
export const brief = (rows: ReadRow[]) => rows.map((row) => ('cells' in row ? row.cells.join(' ') : row.broken));

/** What a pull of one zip ends with. */
export async function verdict(content: Buffer, more = {}) {
  const folder = temporaryFolder();
  drop(folder, 'set.zip', content);
  const { kind, line } = await failure(csvDrop.pull(settings(folder, more), context()));
  return [kind, line.replace(`${folder}/`, '')];
}

/** A folder and its source, day after day: each pull is committed. */
export function days(more = {}) {
  const folder = temporaryFolder();
  const keepDir = join(temporaryFolder(), 'keep');
  let lastContent: string | null = null;
  let last: object[] | null = null;
  const next = async (changes = {}): Promise<string[]> => {
    const answer = await csvDrop.pull(settings(folder, more), context({ keepDir, lastContent, last, ...changes }));
    if (answer === null) return ['nothing'];
    const rows = brief(await readAll(answer));
    await answer.accepted();
    await answer.close();
    lastContent = answer.content;
    last = [...answer.parts];
    return rows;
  };
  return { folder, next };
}
