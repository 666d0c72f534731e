import { type AccountFacts, type CourseName, courseKey } from '../connector/target.ts';
import { hasCourse, isReason } from '../snapshot/record.ts';
import { joinDirectories, ofDirectory } from './directory.ts';
import { factsOf, hasReason, isUnread, type Person, personFields, same, unreadFacts } from './facts.ts';
import { accountInDoubt, groupPersons, matchAccounts } from './identity.ts';
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
  type PersonRow,
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
export function reconcileComponent(all: Component, rules: PeopleRules, issueNumber: NumberIssuer): Verdict {
  // What directories say decides nothing about who is who, who is there, and what may be taken.
  const component: Component = {
    ...all,
    rows: all.rows.filter((row) => !ofDirectory(row, rules)),
    pendingElsewhere: all.pendingElsewhere.filter((source) => !rules.directories.has(source)),
  };
  const now = component.rows.filter((row) => row.state === 'now');
  const persons = matchAccounts(groupPersons(now), component.accounts, rules);
  const { known, notes } = joinDirectories(persons, all, rules);
  for (const person of persons) person.known = known.get(person)!;
  if (rules.fillOnly) return { ...filledIn(persons, component.rows, rules, issueNumber), notes };
  const pending = new Set<string>();
  for (const person of persons)
    if (person.conflict) {
      notes.push(conflictNote(person, component.accounts));
      for (const key of personKeys(person)) pending.add(key);
    }

  const changes: Change[] = [];
  const removals: Change[] = [];
  const undecided: { kept: Change[]; doubt: Doubt }[] = [];
  for (const person of persons)
    if (!person.conflict && person.account && !hasReason(person)) {
      if (isAnswerable(person.account, component, rules) || person.rows.some(({ source }) => source === rules.source))
        removals.push(...endOf(person.account, [...person.rows, ...goneRows(component)], 'no-account'));
    } else if (!person.conflict) {
      const unread = person.account !== null && isUnread(person, component.rows, rules);
      const result = changesOf(person, rules, issueNumber, unread, component.pendingElsewhere.length > 0);
      changes.push(...result.changes);
      // it may be mended, or decided, without a difference that tells whose it was
      if (result.keeps) for (const key of keysOfAccount(person.account!)) pending.add(waitingKey(key));
      // Where the patterns leave a course out that a row still names, no other course can stand for it.
      const kept = result.removals.filter(({ rule }) => rule === 'left-course');
      const doubt = kept.length ? undecidedAbout(person, rules) : null;
      if (doubt) undecided.push({ kept, doubt });
      removals.push(...(doubt ? result.removals.filter(({ rule }) => rule !== 'left-course') : result.removals));
    }
  const matched = new Set(persons.map((person) => person.account?.account));
  for (const account of component.accounts)
    if (!matched.has(account.account) && isAnswerable(account, component, rules))
      removals.push(...endOf(account, goneRows(component), 'left-snapshot'));

  const keepBack = (kept: readonly Change[], doubt: Doubt): void => {
    for (const change of kept)
      for (const key of keysOfAccount(change.account!)) pending.add(doubt.waits ? waitingKey(key) : key);
    notes.push({
      kind: 'blocked',
      reason: doubt.reason,
      text: `${kept.length} removal${kept.length === 1 ? '' : 's'} of account ${[...new Set(kept.map((change) => change.account!.account))].join(', ')} kept back: ${doubt.text}`,
      account: kept[0]!.account!.account,
      rows: doubt.rows,
    });
  };
  for (const { kept, doubt } of undecided) keepBack(kept, doubt);
  const doubt = removals.length ? (doubtAbout(component, persons, rules) ?? unreadAbout(all, rules)) : null;
  const kept = doubt ? removals : removals.filter(({ rule }) => !rules.answered && rule !== 'left-scope');
  if (kept.length) keepBack(kept, doubt ?? unanswered);
  return {
    changes: [...changes, ...removals.filter((change) => !kept.includes(change))],
    notes,
    pending: [...pending],
  };
}

/** Facts that directories may fill in. */
const filled: readonly string[] = ['firstName', 'lastName', 'year', 'attributes'];

/** What directories fill in for those who are there. Everything else is the business of other runs. */
function filledIn(
  persons: readonly Person[],
  rows: readonly EvidenceRow[],
  rules: PeopleRules,
  issueNumber: NumberIssuer,
): Omit<Verdict, 'notes'> {
  const changes: Change[] = [];
  const pending = new Set<string>();
  for (const person of persons) {
    if (person.conflict || person.account?.status !== 'active' || !hasReason(person)) continue;
    for (const change of changesOf(person, rules, issueNumber, isUnread(person, rows, rules)).changes)
      if (change.type === 'account.update' && Object.keys(change.after!).every((field) => filled.includes(field)))
        changes.push(change);
    const sure = factsOf({ ...person, known: { ...person.known, doubt: null } }, rules);
    // What only doubt keeps is looked at again, until the doubt is gone.
    if (
      rules.directories.has(rules.source) &&
      person.known.doubt !== null &&
      !same(sure.attributes, factsOf(person, rules).attributes)
    )
      for (const key of keysOfAccount(person.account))
        pending.add(person.known.doubt === 'waiting' ? waitingKey(key) : key);
  }
  return { changes, pending: [...pending] };
}

/** True when the row is a reason for an account: in a course that is in scope, or in none and nothing speaks against it. */
function counts({ record }: PersonRow, rules: PeopleRules): boolean {
  return isReason(record) && (!hasCourse(record) || rules.inScope(record));
}

/**
 * What a person without an account comes to, or one whose account somebody has a reason for. `unread`: what the account has
 * already counts for more. `waits`: another source has not come to an end with the person. `keeps`: something stays as it
 * was over one of these.
 */
function changesOf(
  person: Person,
  rules: PeopleRules,
  issueNumber: NumberIssuer,
  unread: boolean,
  waits = false,
): { changes: Change[]; removals: Change[]; keeps: boolean } {
  const wanted = new Map<string, PersonRow[]>();
  for (const row of person.rows)
    if (hasCourse(row.record) && counts(row, rules)) {
      const key = courseKey(row.record);
      wanted.set(key, [...(wanted.get(key) ?? []), row]);
    }
  const said = factsOf(person, rules);
  const facts = unread ? unreadFacts(said, person.account!) : { ...said };
  // What another source says may be the change of kind that a guard holds there: in this run it would be one of a few.
  if (waits && person.account?.status === 'active') facts.kind = person.account.kind;
  const rows = origins(person.rows);
  if (!person.account && !person.rows.some((row) => counts(row, rules)))
    return { changes: [], removals: [], keeps: false };

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
    if (account.alias === undefined && old.alias !== undefined) account.alias = old.alias;
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
        // who comes back has no role to lose
        type: old.status === 'active' && changed.includes('kind') ? 'account.kind' : 'account.update',
        account,
        before: Object.fromEntries(changed.map((field) => [field, old[field] ?? null])),
        after: Object.fromEntries(changed.map((field) => [field, account[field]])),
        emailConfirmed: changed.includes('email'),
        rule: updateRule(changed, old),
      });
  }

  const current = new Map((person.account?.enrolments ?? []).map((name) => [courseKey(name), name]));
  for (const [key, its] of wanted)
    if (!current.has(key))
      changes.push({
        ...enrolment('enrolment.add', account, nameOf(its[0]!.record), origins(its)),
        rule: 'course-in-scope',
      });
  const all = new Set(person.rows.filter((row) => hasCourse(row.record)).map((row) => courseKey(row.record)));
  const removals = [...current]
    .filter(([key]) => !wanted.has(key))
    .map(([key, name]) => ({
      ...enrolment('enrolment.remove', account, name, rows),
      rule: all.has(key) ? 'left-scope' : 'left-course',
    }));
  const keeps = person.account !== null && personFields.some((field) => !same(said[field], facts[field]));
  return { changes, removals, keeps };
}

function updateRule(changed: readonly string[], old: Account): string {
  if (changed.includes('email')) return 'email-change';
  if (changed.includes('id')) return old.id === null ? 'id-given' : 'id-renamed';
  return 'attributes';
}

function goneRows({ rows }: Component): EvidenceRow[] {
  return rows.filter(({ state }) => state === 'gone');
}

/**
 * The end of an account that nobody has a reason for: no row is left, or none that is left is one. What else the rows say is
 * not taken over, so that the account is found again as it was left, as that of a leaver is.
 */
function endOf(account: Account, rows: readonly EvidenceRow[], rule: 'left-snapshot' | 'no-account'): Change[] {
  const mine = origins(rows);
  const { source: _source, enrolments, ...facts } = account;
  const after: AccountFacts = { ...facts, status: 'disabled' };
  const removals = enrolments.map((name) => ({
    ...enrolment('enrolment.remove', after, name, mine),
    rule,
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
      rule,
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

interface Doubt {
  reason: string;
  text: string;
  rows: RowOrigin[];
  /** True: it is no business of this source's own, see `waitingKey`. */
  waits?: true;
}

/** A course of a department nobody knows may be the old one under another name; until somebody decides, people keep that. */
function undecidedAbout({ rows }: Person, rules: PeopleRules): Doubt | null {
  const its = rows.filter(({ record }) => isReason(record) && hasCourse(record) && rules.isUndecided(record));
  if (!its.length) return null;
  const text = 'a row names a course of a department that is only reported';
  return { reason: 'unknown-department', text, rows: origins(its), waits: true };
}

/** What could explain that somebody or something seems to be gone. Any doubt of a component keeps all its removals. */
function doubtAbout(component: Component, persons: readonly Person[], rules: PeopleRules): Doubt | null {
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
  // Last, because it alone is no business of this source's own.
  if (component.pendingElsewhere.length)
    return {
      reason: 'pending-elsewhere',
      text: `${component.pendingElsewhere.join(', ')} has unfinished changes of this person`,
      rows: [],
      waits: true,
    };
  return null;
}

/** Whoever is not in an answer of some time ago may be there by now. */
const unanswered: Doubt = {
  reason: 'no-answer',
  text: 'the source had nothing new to say, and its last answer is looked at again',
  rows: [],
  waits: true,
};

/** A source that is to say who exists, and has so far said only what it knows of them, may be about to name this person. */
function unreadAbout({ rows }: Component, { unread }: PeopleRules): Doubt | null {
  const its = rows.filter((row) => row.state === 'now' && unread.has(row.source));
  if (!its.length) return null;
  const names = [...new Set(its.map(({ source }) => source))].sort().join(', ');
  const text = `${names} names this person, and was last read as a directory`;
  return { reason: 'role-changed', text, rows: origins(its), waits: true };
}

function conflictNote(person: Person, accounts: readonly Account[]): Note {
  return {
    kind: 'conflict',
    reason: person.conflict!.reason,
    text: person.conflict!.text,
    account: accountInDoubt(person, accounts)?.account ?? null,
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
