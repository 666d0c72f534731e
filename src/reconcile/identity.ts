import type { PersonRecord } from '../snapshot/record.ts';
import { factsOf, type Person, personFields, same } from './facts.ts';
import type { Account, EvidenceRow, PeopleRules, PersonRow } from './model.ts';

/** Who is who: rows that are one person, and the account that is theirs (rule 1 of the design). */

/**
 * Rows with one id (or one number, or one alias, without an id) are one person. A row with none of them belongs to the one
 * person that has its e-mail, or is a person by that e-mail. Two persons with one e-mail or alias are a conflict of both.
 */
export function groupPersons(rows: readonly EvidenceRow[]): Person[] {
  const good = rows.filter((row): row is PersonRow => row.record !== null);
  const groups = new Map<string, Person>();
  const join = (key: string, row: PersonRow): void => {
    const nobody = { number: null, id: null, alias: undefined, known: { rows: [], doubt: null }, conflict: null };
    const person: Person = groups.get(key) ?? { ...nobody, rows: [], account: null };
    person.id ??= row.record.id;
    person.number ??= row.record.number;
    person.alias ??= row.record.alias;
    person.rows.push(row);
    groups.set(key, person);
  };
  const namedBy = new Map<string, Set<string>>();
  const aliases = new Map<string, Set<string>>();
  for (const row of good) {
    const { id, number, alias, email } = row.record;
    if (!id && !number && !alias) continue;
    const key = id ? `i:${id}` : number ? `n:${number}` : `a:${alias}`;
    join(key, row);
    namedBy.set(email, (namedBy.get(email) ?? new Set()).add(key));
    if (alias) aliases.set(alias, (aliases.get(alias) ?? new Set()).add(key));
  }
  for (const row of good) {
    const { id, number, alias, email } = row.record;
    if (id || number || alias) continue;
    const owners = namedBy.get(email);
    join(owners?.size === 1 ? [...owners][0]! : `e:${email}`, row);
  }
  for (const [email, owners] of namedBy)
    if (owners.size > 1)
      for (const key of [...owners, `e:${email}`]) {
        const person = groups.get(key);
        if (person) person.conflict = { reason: 'two-ids-one-email', text: `${owners.size} ids have one e-mail` };
      }
  for (const owners of aliases.values())
    if (owners.size > 1)
      for (const key of owners)
        groups.get(key)!.conflict ??= { reason: 'two-ids-one-alias', text: `${owners.size} ids have one alias` };
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, person]) => person);
}

/** Finds each person's account (number, then id, then alias, then e-mail) and every reason why that cannot be done. */
export function matchAccounts(persons: Person[], accounts: readonly Account[], rules: PeopleRules): Person[] {
  const claimed = new Map<string, Person>();
  for (const person of persons) {
    person.conflict ??= disagreement(person);
    if (person.conflict) continue;
    person.conflict = match(person, persons, accounts, rules);
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

/**
 * Whose account a conflict is about, for people and for what waits to be delivered; it gives nobody an account. An address
 * names only who has no id, for it may have been passed on.
 */
export function accountInDoubt(person: Person, accounts: readonly Account[]): Account | null {
  if (person.account) return person.account;
  const { number, id, alias } = person;
  const email = number || id || alias ? null : person.rows[0]?.record.email;
  return (
    accounts.find((one) => number && one.account === number) ??
    accounts.find((one) => id && one.id === id) ??
    accounts.find((one) => alias && one.alias === alias) ??
    accounts.find((one) => email && one.email === email) ??
    null
  );
}

function match(
  person: Person,
  persons: readonly Person[],
  accounts: readonly Account[],
  rules: PeopleRules,
): Person['conflict'] {
  const { email } = factsOf(person, rules);
  const byEmail = accounts.find((account) => account.email === email) ?? null;
  const byId = person.id ? (accounts.find((account) => account.id === person.id) ?? null) : null;
  const byAlias = person.alias ? (accounts.find((account) => account.alias === person.alias) ?? null) : null;
  if (person.number) {
    const byNumber = accounts.find((account) => account.account === person.number) ?? null;
    if (!byNumber) return { reason: 'unknown-number', text: `number ${person.number} was never issued here` };
    if (byId && byId !== byNumber)
      return { reason: 'number-and-id', text: `number ${person.number} and id ${person.id} are two accounts` };
    person.account = byNumber;
  } else if (byId) person.account = byId;
  else if (byAlias) person.account = byAlias;
  else if (byEmail && person.id && byEmail.id) return otherId(person, byEmail, persons, rules);
  else person.account = byEmail;
  const aliasConflict = person.account && person.alias ? aliasAgainst(person, person.account, byAlias, email) : null;
  if (aliasConflict) return aliasConflict;
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

/**
 * An id that nobody knows, with the address of an account that has another id. When names agree and no row has the old id
 * any more, it is put to a person as a merge; it is never merged by itself, because an address may have been passed on.
 */
function otherId(person: Person, account: Account, persons: readonly Person[], rules: PeopleRules): Person['conflict'] {
  const { firstName, lastName } = factsOf(person, rules);
  const sameName = firstName === account.firstName && lastName === account.lastName;
  const which = `id ${person.id} comes with the e-mail of account ${account.account}, which has id ${account.id}`;
  if (sameName && !persons.some((other) => other.id === account.id))
    return { reason: 'proposed-merge', text: `${which}; the names agree: the same person under a new id?` };
  return { reason: 'email-of-another-id', text: `${which}; the same person under a new id, or an address passed on` };
}

/**
 * An alias that points elsewhere, or that an id did not have before: an entry that was made anew keeps its address, an id
 * that was given to somebody else does not.
 */
function aliasAgainst(
  person: Person,
  account: Account,
  byAlias: Account | null,
  email: string,
): { reason: string; text: string } | null {
  if (byAlias && byAlias !== account)
    return {
      reason: 'alias-and-id',
      text: `the row of account ${account.account} has the alias of account ${byAlias.account}`,
    };
  if (account.alias === undefined || account.alias === person.alias || account.email === email) return null;
  return {
    reason: 'id-of-another-alias',
    text: `id ${person.id} of account ${account.account} comes with another alias and another e-mail: an id passed on?`,
  };
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
