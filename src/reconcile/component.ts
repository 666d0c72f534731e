import type { Evidence } from './evidence.ts';
import { type Account, type Component, type EvidenceRow, keysOf, keysOfAccount } from './model.ts';

/**
 * Tells rows apart that were found more than once. A line of a file is one row; a record with a name of its own (an LDAP
 * entry, a person of an API) can be several, one for each course.
 */
function placeOf({ origin: { source, snapshot, file, line }, state, record, hints }: EvidenceRow): string {
  const place = `${source}\u0000${snapshot}\u0000${line}\u0000${state}\u0000${file}`;
  return line > 0 ? place : `${place}\u0000${JSON.stringify(record ?? [hints])}`;
}

/** People who may be one another, and by which keys they were reached. */
export interface Gathered {
  component: Component;
  /** Keys of its rows and accounts. */
  keys: ReadonlySet<string>;
  /** Keys of directories' entries that may be theirs. */
  entryKeys: ReadonlySet<string>;
}

/**
 * Gathers everything that hangs together with the keys by number, id, alias or e-mail, and parts it into components, sorted
 * by their smallest key. Asks again as long as an answer brings new keys: who shares an address with whom is only known
 * then. Entries of directories lead on to people, and each is with everybody that it may be about; but nobody becomes one
 * component with somebody else over them.
 */
export async function gatherComponents(
  keys: readonly string[],
  own: ReadonlySet<string>,
  evidence: Evidence,
  directories: ReadonlySet<string>,
): Promise<Gathered[]> {
  const asked = new Set<string>();
  const rows = new Map<string, EvidenceRow>();
  const accounts = new Map<string, Account>();
  let frontier = [...new Set(keys)];
  while (frontier.length) {
    for (const key of frontier) asked.add(key);
    const [newRows, newAccounts] = await Promise.all([evidence.rows(frontier), evidence.accounts(frontier)]);
    const found = new Set<string>();
    for (const row of newRows) {
      rows.set(placeOf(row), row);
      for (const key of rowKeys(row)) found.add(key);
    }
    for (const account of newAccounts) {
      accounts.set(account.account, account);
      for (const key of keysOfAccount(account)) found.add(key);
    }
    frontier = [...found].filter((key) => !asked.has(key));
  }
  const pending = await evidence.pendingElsewhere([...asked]);

  const parts = new Partition();
  const entries: EvidenceRow[] = [];
  for (const row of rows.values()) {
    if (directories.has(row.source)) entries.push(row);
    else parts.join(rowKeys(row));
  }
  for (const account of accounts.values()) parts.join(keysOfAccount(account));
  type Part = { keys: Set<string>; entryKeys: Set<string>; rows: EvidenceRow[]; accounts: Account[] };
  const components = new Map<string, Part>();
  const of = (key: string): Part => {
    const root = parts.root(key);
    const known = components.get(root) ?? { keys: new Set(), entryKeys: new Set(), rows: [], accounts: [] };
    components.set(root, known);
    return known;
  };
  for (const row of rows.values()) {
    const its = rowKeys(row);
    if (its.length && !directories.has(row.source)) of(its[0]!).rows.push(row);
  }
  for (const account of accounts.values()) of(keysOfAccount(account)[0]!).accounts.push(account);
  for (const key of parts.keys()) of(key).keys.add(key);
  const named = entries.length ? namedBy([...components.values()].flatMap((part) => part.rows)) : nobody;
  for (const entry of entries) {
    const its = rowKeys(entry);
    for (const part of new Set(its.filter((key) => parts.has(key)).map(of))) {
      part.rows.push(entry);
      for (const key of its) part.entryKeys.add(key);
    }
  }
  return [...components.values()]
    .map((part) => ({
      keys: part.keys,
      entryKeys: part.entryKeys,
      component: {
        rows: part.rows.sort(byOrigin),
        accounts: part.accounts.sort((a, b) => (a.account < b.account ? -1 : 1)),
        touched: new Set([...part.keys].filter((key) => own.has(key))),
        pendingElsewhere: [...new Set([...part.keys].flatMap((key) => pending.get(key) ?? []))].sort(),
        named,
      },
      first: [...part.keys].reduce((a, b) => (a < b ? a : b)),
    }))
    .sort((a, b) => (a.first < b.first ? -1 : 1));
}

const nobody: ReadonlySet<string> = new Set();

/** Ids and numbers of everybody that a row names. */
function namedBy(rows: readonly EvidenceRow[]): Set<string> {
  const named = rows.flatMap((row) => (row.state === 'now' && row.record ? rowKeys(row) : []));
  return new Set(named.filter((key) => key.startsWith('i:') || key.startsWith('n:')));
}

function rowKeys(row: EvidenceRow): string[] {
  return keysOf(row.record ?? row.hints);
}

function byOrigin(a: EvidenceRow, b: EvidenceRow): number {
  if (a.source !== b.source) return a.source < b.source ? -1 : 1;
  return a.origin.snapshot - b.origin.snapshot || a.origin.line - b.origin.line;
}

/** Union-find over keys. */
class Partition {
  readonly #parent = new Map<string, string>();
  root(key: string): string {
    let at = key;
    for (let up = this.#parent.get(at); up !== undefined && up !== at; up = this.#parent.get(at)) at = up;
    return at;
  }
  join(keys: readonly string[]): void {
    for (const key of keys) {
      if (!this.#parent.has(key)) this.#parent.set(key, key);
      const [a, b] = [this.root(keys[0]!), this.root(key)];
      if (a !== b) this.#parent.set(a < b ? b : a, a < b ? a : b);
    }
  }
  has(key: string): boolean {
    return this.#parent.has(key);
  }
  keys(): Iterable<string> {
    return this.#parent.keys();
  }
}
