import { type AccountFacts, type ChangeType, type CourseName, changeTypes } from '../connector/target.ts';
import type { Hints, PersonRecord } from '../snapshot/record.ts';

/** The words of reconciliation. Everything here is plain data: what goes in, what a plan is made of. */

/** What rosterd believes of one person. */
export interface Account extends AccountFacts {
  /** The source that created the account or enabled it last: the denominator of its removal limits. */
  source: string;
  enrolments: readonly CourseName[];
}

/** Where a row was seen first: enough for a person to open the file at the line. */
export interface RowOrigin {
  source: string;
  /** Number of the snapshot that brought the row. */
  snapshot: number;
  /** A file, a URL, or a name of the row's own such as a DN; then `line` is 0. */
  file: string;
  line: number;
}

/** A row as reconciliation sees it. */
export interface EvidenceRow {
  source: string;
  /** `now`: in the snapshot that counts. `gone`: in the one before, and no longer. */
  state: 'now' | 'gone';
  /** Null for a quarantined row. */
  record: PersonRecord | null;
  hints: Hints;
  origin: RowOrigin;
}

/** A row of somebody, as opposed to one in quarantine. */
export type PersonRow = EvidenceRow & { record: PersonRecord };

/**
 * All that is known about people who could be one another: rows and accounts connected by an id, a number or an e-mail.
 * Usually one person.
 */
export interface Component {
  rows: readonly EvidenceRow[];
  accounts: readonly Account[];
  /** Keys of this component that the source of the run is answerable for: touched by its difference or left pending. */
  touched: ReadonlySet<string>;
  /** Other sources that have unfinished business (a held, blocked or conflicting change) with somebody in here. */
  pendingElsewhere: readonly string[];
  /** `i:` and `n:` keys of all who are there, in this component or beside it, where entries of directories are among the rows. */
  named: ReadonlySet<string>;
}

/**
 * The course table's word on one course. `outside`: the patterns leave it out, so that patterns which take it in choose it;
 * `known`: it only came, in a department that nobody chose, or it was left out before the two were told apart; `lapsed`:
 * from `known` it vanished, which makes no department a known one.
 */
export type CourseStatus = 'known' | 'outside' | 'enrolled' | 'vanished' | 'lapsed' | 'archived';
/** A course and what the course table says of it. */
export interface CourseEntry extends CourseName {
  status: CourseStatus;
}

/** An entry in the words of exports and targets, to whom why a course was never enrolled is nothing. */
export function publicEntry(entry: CourseEntry): CourseName & { status: Exclude<CourseStatus, 'outside' | 'lapsed'> } {
  const { status } = entry;
  return { ...entry, status: status === 'outside' ? 'known' : status === 'lapsed' ? 'vanished' : status };
}

/** True for a course that no row names any more. */
export function isGone({ status }: CourseEntry): boolean {
  return status === 'vanished' || status === 'lapsed' || status === 'archived';
}

/**
 * What a change of a plan can be: what targets are told of (`changeTypes`), and `account.kind`, an update by which somebody
 * who is active becomes staff or a student. It has a name of its own because guards hold it: it takes a role in every
 * course and gives another, and a code that an export writes otherwise would do that to everybody in one night.
 */
export const planTypes = [
  'course.create',
  'account.create',
  'account.enable',
  'account.update',
  'account.kind',
  'enrolment.add',
  'enrolment.remove',
  'account.disable',
  'course.archive',
] as const;
export type PlanType = (typeof planTypes)[number];

/** The type that targets know a change by. */
export function toldAs(type: PlanType): ChangeType {
  return type === 'account.kind' ? 'account.update' : type;
}

/** One change of a plan. Its digest covers everything but `rows`: the same change found on another line is the same. */
export interface Change {
  type: PlanType;
  /** The person after the change, null for course changes. */
  account: AccountFacts | null;
  course: CourseName | null;
  /** Changed fields before and after; null where there was, or is, nothing. */
  before: Partial<AccountFacts> | null;
  after: Partial<AccountFacts> | null;
  emailConfirmed: boolean;
  /** The rule that led to it, by a short stable name. */
  rule: string;
  rows: readonly RowOrigin[];
}

/** What reconciliation wants a person to know: nothing of this is a change. */
export interface Note {
  kind: 'conflict' | 'blocked' | 'ambiguous';
  /** `conflict`: which one. `blocked`: what kept the removals back. `ambiguous`: why a directory's entries are not used. */
  reason: string;
  /** A sentence. Names ids and account numbers, never names or e-mails of people. */
  text: string;
  account: string | null;
  rows: readonly RowOrigin[];
}

/** What one component comes to. */
export interface Verdict {
  changes: readonly Change[];
  notes: readonly Note[];
  /** Keys that must be looked at again in the next run, whatever it brings. */
  pending: readonly string[];
}

/** The rules of one run, as far as people are concerned. */
export interface PeopleRules {
  /** The source that this run is about: only it can take anything away. */
  source: string;
  /** Sources in the order of the configuration; a source that is not named ranks last. */
  precedence: readonly string[];
  /** Sources that only fill in. */
  directories: ReadonlySet<string>;
  /** Those of them that are to say who exists as soon as they are read again: whom they name loses nothing until then. */
  unread: ReadonlySet<string>;
  /** True: only what directories fill in is changed; it is a directory's run, or these people are nobody's that it is about. */
  fillOnly: boolean;
  inScope(course: CourseName): boolean;
  /** See `CourseBook`. */
  isUndecided(course: CourseName): boolean;
  /** Why no removal of this snapshot may happen at all (a quarantined row whose person nobody can tell); else null. */
  blockAll: string | null;
  /** False: the snapshot is an old one. What its rows say goes by the rules; whom it does not name loses nothing over it. */
  answered: boolean;
}

/** Hands out account numbers, in the order of asking. */
export type NumberIssuer = (kind: AccountFacts['kind']) => string;

/**
 * Place of each type in the order of a plan; the design's, with the removals last. Nobody has two updates in one plan, so
 * that those of one rank have different keys.
 */
export const changeRank = Object.fromEntries(
  planTypes.map((type) => [type, changeTypes.indexOf(toldAs(type))]),
) as Readonly<Record<PlanType, number>>;

/** The types that take something away. */
export const removalTypes = ['enrolment.remove', 'account.disable', 'course.archive'] as const satisfies ChangeType[];

/** True for a type that takes something from somebody. */
export function isRemoval(type: PlanType): boolean {
  return (removalTypes as readonly PlanType[]).includes(type);
}

/** True for a type that a guard holds. */
export function isGuarded(type: PlanType): boolean {
  return isRemoval(type) || type === 'account.kind';
}

/** What somebody is known by. */
interface Who {
  number?: string | null;
  id: string | null;
  alias?: string;
  email: string | null;
}

/** Keys under which somebody can be found: `n:` number, `i:` id, `e:` e-mail, `a:` alias. */
export function keysOf(who: Who): string[] {
  const keys: string[] = [];
  if (who.number) keys.push(`n:${who.number}`);
  if (who.id) keys.push(`i:${who.id}`);
  if (who.email) keys.push(`e:${who.email}`);
  if (who.alias) keys.push(`a:${who.alias}`);
  return keys;
}

/** The one key that a row is paged by: id, else number, else e-mail; null when nobody can tell. */
export function personKey(who: Who): string | null {
  return who.id ? `i:${who.id}` : (keysOf(who)[0] ?? null);
}

/**
 * A pending key of a source that only waits for another one. It is looked at again like any other, but it holds nobody
 * up: two sources that waited for each other would wait for ever.
 */
export function waitingKey(key: string): string {
  return `w:${key}`;
}

/** The key that a pending key is about. */
export function keyOfPending(pending: string): string {
  return pending.startsWith('w:') ? pending.slice(2) : pending;
}

/** Keys of an account: its number, id, e-mail and alias. */
export function keysOfAccount(account: Pick<AccountFacts, 'account' | 'id' | 'email' | 'alias'>): string[] {
  return keysOf({ ...account, number: account.account });
}

/** Keys of one kind, without their prefix. */
export function withPrefix(keys: readonly string[], prefix: string): string[] {
  return keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
}
