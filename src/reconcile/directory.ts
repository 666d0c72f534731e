import type { AccountFacts } from '../connector/target.ts';
import type { PersonRecord } from '../snapshot/record.ts';
import type { Account, Change, Component, EvidenceRow, Note, PeopleRules, PersonRow } from './model.ts';

/**
 * What directories add. A directory says nothing about who exists: it fills in what it knows about people whom others
 * named. So nobody comes, goes or changes courses over a row of a directory, and a directory that is away, partial or
 * wrong can at worst leave an attribute as it was.
 */

/** What directories know about one person. */
export interface Known {
  rows: readonly PersonRow[];
  /** Why an attribute that nobody gives any more stays; null when it may go. `waiting`: only for another directory. */
  doubt: 'unclear' | 'waiting' | null;
}

interface Named {
  id: string | null;
  number: string | null;
  rows: readonly PersonRow[];
}

/** True for a row of a directory. */
export function ofDirectory(row: Pick<EvidenceRow, 'source'>, rules: PeopleRules): boolean {
  return rules.directories.has(row.source);
}

/**
 * Joins the rows of directories to the people of a component: by number or id, else by e-mail. Where a directory has an
 * entry under the person's id, its other entries with the same address (accounts of administrators, shared mailboxes) are
 * not the person's. Two entries that disagree fill in nothing, and are noted when the run is that directory's own.
 */
export function joinDirectories<P extends Named>(
  persons: readonly P[],
  component: Component,
  rules: PeopleRules,
): { known: Map<P, Known>; notes: Note[] } {
  const rows = component.rows.filter((row) => row.state === 'now' && ofDirectory(row, rules));
  const shared = sharedDoubt(rows, component, rules);
  const good = rows.filter((row): row is PersonRow => row.record !== null);
  const known = new Map<P, Known>();
  const notes: Note[] = [];
  for (const person of persons) {
    const emails = new Set(person.rows.map((row) => row.record.email));
    const mine: PersonRow[] = [];
    let doubt = shared;
    for (const [source, its] of Map.groupBy(good, (row) => row.source)) {
      const named = its.filter(({ record }) => isNamed(person, record));
      const found = named.length
        ? named
        : its.filter(({ record }) => !isKnown(component, record) && emails.has(record.email));
      if (found.length && !found.every((row) => agree(row.record, found[0]!.record))) {
        doubt = 'unclear';
        if (source === rules.source) notes.push(ambiguous(person, source, found));
      } else mine.push(...found.slice(0, 1));
    }
    known.set(person, { rows: mine, doubt });
  }
  return { known, notes };
}

function isNamed(person: Named, record: PersonRecord): boolean {
  if (record.number !== null && record.number === person.number) return true;
  return record.id !== null && record.id === person.id;
}

/** True for an entry that is somebody's by id: then its address makes it nobody else's. */
function isKnown({ named }: Component, { id, number, email }: PersonRecord): boolean {
  return email === '' || named.has(`i:${id}`) || named.has(`n:${number}`);
}

function agree(a: PersonRecord, b: PersonRecord): boolean {
  return JSON.stringify(toldBy(a)) === JSON.stringify(toldBy(b));
}

function toldBy({ firstName, lastName, year, attributes }: PersonRecord): unknown[] {
  return [firstName, lastName, year, Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))];
}

/** Whether it is unclear, for everybody in the component, what a directory says. */
function sharedDoubt(rows: readonly EvidenceRow[], component: Component, rules: PeopleRules): Known['doubt'] {
  if (rows.some((row) => row.record === null)) return 'unclear';
  if (rules.directories.has(rules.source) && rules.blockAll) return 'unclear';
  return component.pendingElsewhere.some((source) => rules.directories.has(source)) ? 'waiting' : null;
}

function ambiguous(person: Named, source: string, rows: readonly PersonRow[]): Note {
  const who = person.id ? `id ${person.id}` : 'one e-mail';
  return {
    kind: 'ambiguous',
    reason: 'entries-disagree',
    text: `${rows.length} entries of ${source} for ${who} disagree; none of them is used`,
    account: null,
    rows: rows.map((row) => row.origin),
  };
}

type Facts = Omit<AccountFacts, 'account' | 'status'>;

/** Fills in what is blank, and in doubt keeps what the account has. `rows`: of directories, in their precedence. */
export function fillIn(facts: Facts, { rows, doubt }: Known, old: Account | null): Facts {
  const filled = { ...facts };
  for (const { record } of rows) {
    filled.firstName ||= record.firstName;
    filled.lastName ||= record.lastName;
    filled.year ??= record.year;
  }
  if (doubt === null || !old) return filled;
  filled.firstName ||= old.firstName;
  filled.lastName ||= old.lastName;
  filled.year ??= old.year;
  filled.attributes = { ...old.attributes, ...facts.attributes };
  return filled;
}

/** True for an update that takes an attribute away: what a directory's guard counts. */
export function takesAttribute({ type, before, after }: Pick<Change, 'type' | 'before' | 'after'>): boolean {
  if (type !== 'account.update' || !before?.attributes) return false;
  return Object.keys(before.attributes).some((name) => after?.attributes?.[name] === undefined);
}
