/**
 * What a roster has to be, said once more and from the rules alone: over everybody at once, in quadratic time, without
 * anything that the engine knows of keys, differences or pages. Courses are `courseKey`s.
 */

/** A row that can be read. */
export interface GoodRow {
  source: string;
  id: string | null;
  email: string;
  name: string;
  year: number | null;
  kind: 'student' | 'staff';
  course: string;
  /** The row is a reason for an account. */
  reason: boolean;
}

/** A row that cannot be read; what of it can be told is who it is about, or not even that. */
export interface BadRow {
  source: string;
  id: string | null;
  email: string | null;
}

/** True for a row that could be anybody's: it has no address, and nobody has the id that it seems to have. */
export function isAnybody(row: BadRow, known: readonly { id: string | null }[]): boolean {
  return row.email === null && (row.id === null || !known.some(({ id }) => id === row.id));
}

export interface ModelAccount {
  account: string;
  id: string | null;
  email: string;
  kind: 'student' | 'staff';
  status: 'active' | 'disabled';
}

export interface Person {
  id: string | null;
  rows: GoodRow[];
  /** The row that decides: of those that are a reason for an account, if any is, the one of the source that comes first. */
  top: GoodRow;
  account: ModelAccount | null;
  conflict: string | null;
}

/** Who the rows are about, which account each has, and what cannot be told (rule 1). */
export function judge(rows: GoodRow[], accounts: readonly ModelAccount[], precedence: readonly string[]): Person[] {
  const idsWith = (email: string): string[] => [
    ...new Set(rows.filter((row) => row.email === email && row.id !== null).map((row) => row.id!)),
  ];
  const groups: GoodRow[][] = [];
  for (const id of new Set(rows.map((row) => row.id)))
    if (id !== null)
      groups.push(
        rows.filter((row) => row.id === id || (row.id === null && String(idsWith(row.email)) === String([id]))),
      );
  for (const email of new Set(rows.map((row) => row.email)))
    if (idsWith(email).length !== 1) {
      const nameless = rows.filter((row) => row.id === null && row.email === email);
      if (nameless.length) groups.push(nameless);
    }
  const persons = groups.map((its): Person => {
    const reasons = its.filter(({ reason }) => reason);
    const deciding = reasons.length ? reasons : its;
    const top = [...deciding].sort((a, b) => precedence.indexOf(a.source) - precedence.indexOf(b.source))[0]!;
    const person: Person = {
      id: its.find((row) => row.id !== null)?.id ?? null,
      rows: its,
      top,
      account: null,
      conflict: null,
    };
    const byId = accounts.find((account) => person.id !== null && account.id === person.id);
    const byEmail = accounts.find((account) => account.email === top.email);
    if (its.some((row) => idsWith(row.email).length > 1)) person.conflict = 'two ids with one e-mail';
    else if (its.some((a) => its.some((b) => a.source === b.source && differ(a, b)))) person.conflict = 'rows disagree';
    else if (!byId && byEmail && person.id !== null && byEmail.id !== null) person.conflict = 'e-mail of another id';
    else {
      const own = byId ?? byEmail ?? null;
      const others = accounts.filter((account) => account !== own && its.some((row) => row.email === account.email));
      if (others.length) person.conflict = 'e-mail of another account';
      else person.account = own;
    }
    return person;
  });
  const claims = persons.filter((one) =>
    persons.some((two) => one !== two && one.account && one.account === two.account),
  );
  for (const person of claims) Object.assign(person, { conflict: 'two people for one account', account: null });
  return persons;
}

function differ(a: GoodRow, b: GoodRow): boolean {
  return a.email !== b.email || a.name !== b.name || a.year !== b.year || a.kind !== b.kind;
}

type Named = { id: string | null; email: string | null };

/** Everything that hangs together with `start` by an id or an e-mail, over any number of steps. */
export function connected<T extends Named>(start: Named, all: readonly T[]): T[] {
  const found = new Set<T>();
  const seen: Named[] = [start];
  for (let at = 0; at < seen.length; at += 1)
    for (const one of all)
      if (!found.has(one) && sameName(one, seen[at]!)) {
        found.add(one);
        seen.push(one);
      }
  return [...found];
}

export function sameName(a: Named, b: Named): boolean {
  return (a.id !== null && a.id === b.id) || (a.email !== null && a.email === b.email);
}
