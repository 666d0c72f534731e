import {
  type Entities,
  type EntityName,
  type Flag,
  type Read,
  readDay,
  readFlag,
  readStatus,
} from '../../src/connector/oneroster/entities.ts';

/** The tables of OneRoster CSV, 1.1 and 1.2: their headers, which are normative, and their rows as entities. */

/** Versions that are read. */
export const versions = ['1.1', '1.2'] as const;
/** One of them. */
export type Version = (typeof versions)[number];

const headers: Record<Exclude<EntityName, 'users'>, string> = {
  academicSessions: 'sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear',
  orgs: 'sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId',
  courses:
    'sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes',
  classes:
    'sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods',
  roles:
    'sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId',
  enrollments:
    'sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate',
};
const userHeaders: Record<Version, string> = {
  '1.1':
    'sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password',
  '1.2':
    'sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns',
};

/** Tables that a whole set of a version has. */
export const tablesOf = (version: Version): EntityName[] => [
  'orgs',
  'academicSessions',
  'courses',
  'classes',
  'users',
  ...(version === '1.2' ? (['roles'] as const) : []),
  'enrollments',
];

/** The columns of a table, in their order. */
export const columnsOf = (table: EntityName, version: Version): string[] =>
  (table === 'users' ? userHeaders[version] : headers[table]).split(',');

/** A cell that makes the whole file one that is not believed. */
export class DirtyCell {
  readonly column: string;
  readonly reason: string;
  constructor(column: string, reason: string) {
    this.column = column;
    this.reason = reason;
  }
}

/** Cells of one row, by column. */
class Row {
  problem: string | null = null;
  dirty: DirtyCell | null = null;
  readonly #columns: ReadonlyMap<string, number>;
  readonly #cells: readonly string[];
  constructor(columns: ReadonlyMap<string, number>, cells: readonly string[]) {
    this.#columns = columns;
    this.#cells = cells;
  }

  text(column: string): string {
    const at = this.#columns.get(column);
    return at === undefined ? '' : this.#cells[at]!.trim();
  }

  list(column: string): string[] {
    return this.text(column)
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '');
  }

  flag(column: string): Flag {
    const flag = readFlag(this.text(column));
    if (flag === null) this.problem ??= `${column} is neither true nor false`;
    return flag ?? '';
  }

  /** Dates in a way of somebody's own mean that the exporter does not keep the standard: 3/4 is in March or in April. */
  day(column: string): string {
    const day = readDay(this.text(column));
    if (day === null) this.dirty ??= new DirtyCell(column, `${column} is no date YYYY-MM-DD`);
    return day ?? '';
  }
}

const readers: { [N in EntityName]: (row: Row) => Entities[N] } = {
  orgs: (r) => ({ name: r.text('name'), type: r.text('type').toLowerCase(), parent: r.text('parentSourcedId') }),
  academicSessions: (r) => {
    r.day('startDate');
    r.day('endDate');
    return { title: r.text('title') };
  },
  courses: (r) => ({ title: r.text('title'), code: r.text('courseCode'), org: r.text('orgSourcedId') }),
  classes: (r) => ({
    title: r.text('title'),
    code: r.text('classCode'),
    course: r.text('courseSourcedId'),
    school: r.text('schoolSourcedId'),
    terms: r.list('termSourcedIds'),
  }),
  users: (r) => {
    const role = r.text('role');
    return {
      username: r.text('username'),
      identifier: r.text('identifier'),
      email: r.text('email'),
      givenName: r.text('givenName'),
      familyName: r.text('familyName'),
      middleName: r.text('middleName'),
      preferredFirstName: r.text('preferredGivenName'),
      enabledUser: r.flag('enabledUser'),
      roles: role === '' ? [] : [{ role, type: '', org: '' }],
      grades: r.list('grades'),
      orgs: [...r.list('primaryOrgSourcedId'), ...r.list('orgSourcedIds')],
    };
  },
  roles: (r) => {
    r.day('beginDate');
    r.day('endDate');
    return { role: r.text('role'), type: r.text('roleType').toLowerCase(), org: r.text('orgSourcedId') };
  },
  enrollments: (r) => ({
    class: r.text('classSourcedId'),
    school: r.text('schoolSourcedId'),
    role: r.text('role'),
    primary: r.flag('primary'),
    beginDate: r.day('beginDate'),
    endDate: r.day('endDate'),
  }),
};

/** A way to read the rows of one file. */
export function rowReader<N extends EntityName>(
  table: N,
  columns: readonly string[],
  kind: 'bulk' | 'delta',
): (cells: readonly string[]) => Read<Entities[N]> | DirtyCell {
  const at = new Map(columns.map((column, index) => [column, index]));
  return (cells) => {
    const row = new Row(at, cells);
    const id = row.text('sourcedId');
    if (id === '') return new DirtyCell('sourcedId', 'sourcedId is blank');
    const status = row.text('status');
    const changed = row.text('dateLastModified');
    if (kind === 'bulk') {
      if (status !== '') return new DirtyCell('status', 'status is not blank, as it is in a bulk file');
      if (changed !== '')
        return new DirtyCell('dateLastModified', 'dateLastModified is not blank, as it is in a bulk file');
    } else {
      const known = readStatus(status);
      if (status === '' || known === null)
        return new DirtyCell('status', 'status is neither active nor tobedeleted, as it is in a delta file');
      if (!readDay(changed))
        return new DirtyCell('dateLastModified', 'dateLastModified is no date, as it is in a delta file');
    }
    const data = readers[table](row);
    if (row.dirty !== null) return row.dirty;
    const user = table === 'roles' || table === 'enrollments' ? { user: row.text('userSourcedId') } : {};
    return { id, gone: readStatus(status) === 'gone', ...user, data: row.problem ?? data };
  };
}
