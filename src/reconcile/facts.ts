import type { AccountFacts } from '../connector/target.ts';
import { isReason } from '../snapshot/record.ts';
import { fillIn, type Known } from './directory.ts';
import type { Account, EvidenceRow, PeopleRules, PersonRow } from './model.ts';

/** What the rows of one person come to. */

/** Rows that are one person, before any account is looked at. */
export interface Person {
  number: string | null;
  id: string | null;
  alias: string | undefined;
  rows: PersonRow[];
  /** What directories add. */
  known: Known;
  account: Account | null;
  conflict: { reason: string; text: string } | null;
}

/** Place of a source in the order of precedence. */
export function rankOf(source: string, { precedence }: Pick<PeopleRules, 'precedence'>): number {
  const place = precedence.indexOf(source);
  return place < 0 ? precedence.length : place;
}

/** True when a row of the person is a reason for an account. */
export function hasReason({ rows }: Pick<Person, 'rows'>): boolean {
  return rows.some(({ record }) => isReason(record));
}

/**
 * True when a row that may be about the person, and that nobody can read, could be the one that decides: its source comes
 * before all that have a reason for an account. A row of the same source that is no reason does not speak in its place.
 */
export function isUnread(person: Person, rows: readonly EvidenceRow[], rules: PeopleRules): boolean {
  const reasons = person.rows.filter(({ record }) => isReason(record));
  const first = Math.min(...reasons.map(({ source }) => rankOf(source, rules)));
  const anybodys = rules.blockAll !== null && !rules.directories.has(rules.source);
  if (anybodys && rankOf(rules.source, rules) < first) return true;
  return rows.some((row) => row.state === 'now' && row.record === null && rankOf(row.source, rules) < first);
}

/** What an account has already, where a later source's word would replace it only because an earlier one cannot be read. */
export function unreadFacts(facts: Facts, old: Account): Facts {
  const { email, firstName, lastName, kind, year } = old;
  return { ...facts, email, firstName, lastName, kind, year, attributes: { ...facts.attributes, ...old.attributes } };
}

type Facts = Omit<AccountFacts, 'account' | 'status'>;

/**
 * The person as the sources say: the first source of the configuration decides that has a reason for an account. Whom a
 * feed only knows by name is not made another over it: a student who also teaches stays a student.
 */
export function factsOf(person: Person, rules: PeopleRules): Facts {
  const alone = !hasReason(person);
  const isLast = ({ record, source }: PersonRow): number =>
    Number(!alone && !isReason(record) && !rules.directories.has(source));
  const ordered = <R extends PersonRow>(rows: readonly R[]): R[] =>
    [...rows].sort(
      (a, b) =>
        isLast(a) - isLast(b) ||
        rankOf(a.source, rules) - rankOf(b.source, rules) ||
        (a.source < b.source ? -1 : a.source > b.source ? 1 : 0),
    );
  const top = ordered(person.rows)[0]!.record;
  const attributes: Record<string, string> = {};
  for (const { record } of ordered([...person.rows, ...person.known.rows]))
    for (const [name, value] of Object.entries(record.attributes)) attributes[name] ??= value;
  const facts = {
    id: person.id,
    email: top.email,
    firstName: top.firstName,
    lastName: top.lastName,
    kind: top.kind,
    year: top.year,
    attributes,
    ...(person.alias === undefined ? {} : { alias: person.alias }),
  };
  const filled = fillIn(facts, { ...person.known, rows: ordered(person.known.rows) }, person.account);
  filled.attributes = Object.fromEntries(Object.entries(filled.attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
  return filled;
}

/** Facts that change by an update, and that rows of one person in one source agree on. */
export const personFields = ['email', 'firstName', 'lastName', 'kind', 'year', 'attributes', 'alias'] as const;

/** The same value; of attributes the same pairs in any order. */
export function same(a: unknown, b: unknown): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b;
  return stable(a) === stable(b);
}

function stable(value: unknown): string {
  return JSON.stringify(Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1)));
}
