import { type AccountFacts, type CourseName, courseKey } from '../connector/target.ts';
import type { PersonRecord } from '../snapshot/record.ts';
import {
  type Account,
  type Change,
  type Component,
  type EvidenceRow,
  keysOf,
  keysOfAccount,
  type Note,
  type NumberIssuer,
  type PeopleRules,
  type RowOrigin,
  type Verdict,
  waitingKey,
} from './model.ts';

/**
 * One component to its changes: identity, scope, ownership, leavers and returners, doubt (rules 1 to 5 of the design).
 * Pure. Identity is judged against the roster as it stood before the plan: an address that its owner gives up in this
 * very plan is free in the next run, not in this one, because handing an address on is the classic way of handing one
 * person's account to another, and one day late is the smaller error.
 */
export function reconcileComponent(component: Component, rules: PeopleRules, issueNumber: NumberIssuer): Verdict {
  const now = component.rows.filter((row) => row.state === 'now');
  const persons = matchAccounts(groupPersons(now), component.accounts, rules);
  const notes: Note[] = [];
  const pending = new Set<string>();
  for (const person of persons)
    if (person.conflict) {
      notes.push(conflictNote(person));
      for (const key of personKeys(person)) pending.add(key);
    }

  const changes: Change[] = [];
  const removals: Change[] = [];
  for (const person of persons)
    if (!person.conflict) {
      const result = changesOf(person, rules, issueNumber);
      changes.push(...result.changes);
      removals.push(...result.removals);
    }
  const matched = new Set(persons.map((person) => person.account?.account));
  for (const account of component.accounts)
    if (!matched.has(account.account) && isAnswerable(account, component, rules))
      removals.push(...leaverChanges(account, component.rows));

  const doubt = removals.length ? doubtAbout(component, persons, rules) : null;
  if (!doubt) return { changes: [...changes, ...removals], notes, pending: [...pending] };
  const waits = doubt.reason === 'pending-elsewhere';
  for (const change of removals)
    for (const key of keysOfAccount(change.account!)) pending.add(waits ? waitingKey(key) : key);
  notes.push({
    kind: 'blocked',
    reason: doubt.reason,
    text: `${removals.length} removal${removals.length === 1 ? '' : 's'} of account ${[...new Set(removals.map((change) => change.account!.account))].join(', ')} kept back: ${doubt.text}`,
    account: removals[0]!.account!.account,
    rows: doubt.rows,
  });
  return { changes, notes, pending: [...pending] };
}

/** Rows that are one person, before any account is looked at. */
interface Person {
  number: string | null;
  id: string | null;
  rows: PersonRow[];
  account: Account | null;
  conflict: { reason: string; text: string } | null;
}
type PersonRow = EvidenceRow & { record: PersonRecord };

/**
 * Rows with one id (or one number without an id) are one person. A row with neither belongs to the one person that has
 * its e-mail, or is a person by that e-mail. Two persons with one e-mail are a conflict of both.
 */
function groupPersons(rows: readonly EvidenceRow[]): Person[] {
  const good = rows.filter((row): row is PersonRow => row.record !== null);
  const groups = new Map<string, Person>();
  const join = (key: string, row: PersonRow): void => {
    const person = groups.get(key) ?? { number: null, id: null, rows: [], account: null, conflict: null };
    person.id ??= row.record.id;
    person.number ??= row.record.number;
    person.rows.push(row);
    groups.set(key, person);
  };
  const namedBy = new Map<string, Set<string>>();
  for (const row of good) {
    const { id, number, email } = row.record;
    if (!id && !number) continue;
    const key = id ? `i:${id}` : `n:${number}`;
    join(key, row);
    namedBy.set(email, (namedBy.get(email) ?? new Set()).add(key));
  }
  for (const row of good) {
    const { id, number, email } = row.record;
    if (id || number) continue;
    const owners = namedBy.get(email);
    join(owners?.size === 1 ? [...owners][0]! : `e:${email}`, row);
  }
  for (const [email, owners] of namedBy)
    if (owners.size > 1)
      for (const key of [...owners, `e:${email}`]) {
        const person = groups.get(key);
        if (person) person.conflict = { reason: 'two-ids-one-email', text: `${owners.size} ids have one e-mail` };
      }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, person]) => person);
}

/** Finds each person's account (number, then id, then e-mail) and every reason why that cannot be done. */
function matchAccounts(persons: Person[], accounts: readonly Account[], rules: PeopleRules): Person[] {
  const claimed = new Map<string, Person>();
  for (const person of persons) {
    person.conflict ??= disagreement(person);
    if (person.conflict) continue;
    person.conflict = match(person, accounts, factsOf(person, rules).email);
    if (person.conflict || !person.account) continue;
    const other = claimed.get(person.account.account);
    if (!other) claimed.set(person.account.account, person);
    else
      for (const one of [person, other])
        one.conflict = {
          reason: 'two-people-one-account',
          text: `two people's rows lead to account ${person.account.account}`,
        };
  }
  return persons;
}

function match(person: Person, accounts: readonly Account[], email: string): Person['conflict'] {
  const byEmail = accounts.find((account) => account.email === email) ?? null;
  const byId = person.id ? (accounts.find((account) => account.id === person.id) ?? null) : null;
  if (person.number) {
    const byNumber = accounts.find((account) => account.account === person.number) ?? null;
    if (!byNumber) return { reason: 'unknown-number', text: `number ${person.number} was never issued here` };
    if (byId && byId !== byNumber)
      return { reason: 'number-and-id', text: `number ${person.number} and id ${person.id} are two accounts` };
    person.account = byNumber;
  } else if (byId) person.account = byId;
  else if (byEmail && person.id && byEmail.id)
    return {
      reason: 'email-of-another-id',
      text: `id ${person.id} comes with the e-mail of account ${byEmail.account}, which has id ${byEmail.id}; the same person under a new id, or an address passed on`,
    };
  else person.account = byEmail;
  if (person.account && byEmail && byEmail !== person.account)
    return {
      reason: 'email-taken',
      text: `the new e-mail of account ${person.account.account} belongs to account ${byEmail.account}`,
    };
  // An address that only a lower source says counts here too: its row may be all that is left of the other person.
  const emails = new Set(person.rows.map((row) => row.record.email));
  const other = accounts.find((account) => emails.has(account.email) && account !== person.account);
  if (other)
    return {
      reason: 'email-of-another-account',
      text: `a row of ${person.id ? `id ${person.id}` : 'one e-mail'} has the e-mail of account ${other.account}`,
    };
  return null;
}

/** Rows of one person in one source must agree on the person. Between sources, precedence decides. */
function disagreement(person: Person): Person['conflict'] {
  if (new Set(person.rows.map((row) => row.record.number).filter(Boolean)).size > 1)
    return { reason: 'rows-disagree', text: `rows of id ${person.id} disagree in: number` };
  const first = new Map<string, PersonRecord>();
  const fields = new Set<string>();
  for (const { source, record } of person.rows) {
    const known = first.get(source);
    if (!known) first.set(source, record);
    else for (const field of personFields) if (!same(known[field], record[field])) fields.add(field);
  }
  if (!fields.size) return null;
  const who = person.id ? `id ${person.id}` : 'one e-mail';
  return { reason: 'rows-disagree', text: `rows of ${who} disagree in: ${[...fields].sort().join(', ')}` };
}

const personFields = ['email', 'firstName', 'lastName', 'kind', 'year', 'attributes'] as const;

function same(a: unknown, b: unknown): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b;
  return stable(a) === stable(b);
}

function stable(value: unknown): string {
  return JSON.stringify(Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The person as the sources say, the first source of the configuration that has a row deciding. */
function factsOf(person: Person, rules: PeopleRules): Omit<AccountFacts, 'account' | 'status'> {
  const rank = (source: string): number => {
    const place = rules.precedence.indexOf(source);
    return place < 0 ? rules.precedence.length : place;
  };
  const rows = [...person.rows].sort(
    (a, b) => rank(a.source) - rank(b.source) || (a.source < b.source ? -1 : a.source > b.source ? 1 : 0),
  );
  const top = rows[0]!.record;
  const attributes: Record<string, string> = {};
  for (const { record } of rows)
    for (const [name, value] of Object.entries(record.attributes)) attributes[name] ??= value;
  return {
    id: person.id,
    email: top.email,
    firstName: top.firstName,
    lastName: top.lastName,
    kind: top.kind,
    year: top.year,
    attributes: Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function changesOf(
  person: Person,
  rules: PeopleRules,
  issueNumber: NumberIssuer,
): { changes: Change[]; removals: Change[] } {
  const wanted = new Map<string, PersonRow[]>();
  for (const row of person.rows)
    if (rules.inScope(row.record)) {
      const key = courseKey(row.record);
      wanted.set(key, [...(wanted.get(key) ?? []), row]);
    }
  const facts = factsOf(person, rules);
  const rows = origins(person.rows);
  if (!person.account && !wanted.size) return { changes: [], removals: [] };

  const changes: Change[] = [];
  const base = { course: null, emailConfirmed: false, rows };
  let account: AccountFacts;
  if (!person.account) {
    account = { account: issueNumber(facts.kind), ...facts, status: 'active' };
    changes.push({ ...base, type: 'account.create', account, before: null, after: account, rule: 'newcomer' });
  } else {
    const old = person.account;
    // An e-mail match never takes an id away: a source without ids keeps working beside one that has them.
    account = { account: old.account, ...facts, id: facts.id ?? old.id, status: 'active' };
    if (old.status === 'disabled')
      changes.push({
        ...base,
        type: 'account.enable',
        account,
        before: { status: 'disabled' },
        after: { status: 'active' },
        rule: 'returner',
      });
    const changed = (['id', ...personFields] as const).filter((field) => !same(old[field], account[field]));
    if (changed.length)
      changes.push({
        ...base,
        type: 'account.update',
        account,
        before: Object.fromEntries(changed.map((field) => [field, old[field]])),
        after: Object.fromEntries(changed.map((field) => [field, account[field]])),
        emailConfirmed: changed.includes('email'),
        rule: changed.includes('email') ? 'email-change' : changed.includes('id') ? 'id-given' : 'attributes',
      });
  }

  const current = new Map((person.account?.enrolments ?? []).map((name) => [courseKey(name), name]));
  for (const [key, its] of wanted)
    if (!current.has(key))
      changes.push({
        ...enrolment('enrolment.add', account, nameOf(its[0]!.record), origins(its)),
        rule: 'course-in-scope',
      });
  const all = new Set(person.rows.map((row) => courseKey(row.record)));
  const removals = [...current]
    .filter(([key]) => !wanted.has(key))
    .map(([key, name]) => ({
      ...enrolment('enrolment.remove', account, name, rows),
      rule: all.has(key) ? 'left-scope' : 'left-course',
    }));
  return { changes, removals };
}

function leaverChanges(account: Account, rows: readonly EvidenceRow[]): Change[] {
  const mine = origins(rows.filter((row) => row.state === 'gone'));
  const { source: _source, enrolments, ...facts } = account;
  const after: AccountFacts = { ...facts, status: 'disabled' };
  const removals = enrolments.map((name) => ({
    ...enrolment('enrolment.remove', after, name, mine),
    rule: 'left-snapshot',
  }));
  if (account.status === 'disabled') return removals;
  return [
    ...removals,
    {
      type: 'account.disable',
      account: after,
      course: null,
      before: { status: 'active' },
      after: { status: 'disabled' },
      emailConfirmed: false,
      rule: 'left-snapshot',
      rows: mine,
    },
  ];
}

function enrolment(
  type: 'enrolment.add' | 'enrolment.remove',
  account: AccountFacts,
  course: CourseName,
  rows: readonly RowOrigin[],
): Omit<Change, 'rule'> {
  return { type, account, course, before: null, after: null, emailConfirmed: false, rows };
}

/**
 * A source takes away only what it gave: it had a row of the person, it left the matter pending, or it gave the
 * account. Somebody whom only another source let go is that source's business.
 */
function isAnswerable(account: Account, component: Component, rules: PeopleRules): boolean {
  return (
    account.source === rules.source ||
    component.rows.some((row) => row.state === 'gone' && row.source === rules.source) ||
    keysOfAccount(account).some((key) => component.touched.has(key))
  );
}

/** What could explain that somebody or something seems to be gone. Any doubt of a component keeps all its removals. */
function doubtAbout(
  component: Component,
  persons: readonly Person[],
  rules: PeopleRules,
): { reason: string; text: string; rows: RowOrigin[] } | null {
  const conflict = persons.find((person) => person.conflict);
  if (conflict)
    return {
      reason: 'conflict',
      text: `it may be a person in conflict (${conflict.conflict!.text})`,
      rows: origins(conflict.rows),
    };
  const quarantined = component.rows.filter((row) => row.state === 'now' && row.record === null);
  if (quarantined.length)
    return { reason: 'quarantine', text: 'a row about this person is in quarantine', rows: origins(quarantined) };
  if (rules.blockAll) return { reason: 'quarantine-unknown', text: rules.blockAll, rows: [] };
  // Last, because it alone is no business of this source's own: see `waitingKey`.
  if (component.pendingElsewhere.length)
    return {
      reason: 'pending-elsewhere',
      text: `${component.pendingElsewhere.join(', ')} has unfinished changes of this person`,
      rows: [],
    };
  return null;
}

function conflictNote(person: Person): Note {
  return {
    kind: 'conflict',
    reason: person.conflict!.reason,
    text: person.conflict!.text,
    account: person.account?.account ?? null,
    rows: origins(person.rows),
  };
}

function personKeys(person: Person): string[] {
  return person.rows.flatMap((row) => keysOf(row.record));
}

function nameOf({ faculty, department, course }: CourseName): CourseName {
  return { faculty, department, course };
}

/** Origins in one order, whatever the order of the rows. */
function origins(rows: readonly EvidenceRow[]): RowOrigin[] {
  return rows
    .map((row) => row.origin)
    .sort((a, b) => (a.source < b.source ? -1 : a.source > b.source ? 1 : a.snapshot - b.snapshot || a.line - b.line));
}
