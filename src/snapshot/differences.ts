import { Misconfigured } from '../base/errors.ts';
import { personKey } from '../reconcile/model.ts';
import { type Snapshot, type Store, type StoredRow, snapshotId } from '../store/port.ts';
import { digestBytes, without } from './pack.ts';
import type { PersonRecord } from './record.ts';
import { packsOf } from './take.ts';

/**
 * What one snapshot of a source has that another has not, for people who ask. Their digests are merged, so that only rows in
 * the difference are looked up; of these the places are held, and the rows themselves by the page.
 */

/** One row of a snapshot, and where it stood. */
export interface SeenRow {
  file: string;
  line: number;
  /** Null: it could not be read. */
  record: PersonRecord | null;
  /** Why there is no record. */
  reason: string | null;
}

/** One difference. `from` is null of what was added, `to` of what is gone. */
export interface RowDifference {
  /** `rewritten`: other bytes, or read under other rules, that say the same. */
  what: 'added' | 'gone' | 'changed' | 'rewritten';
  /** See `personKey`; null: nobody can tell. */
  person: string | null;
  from: SeenRow | null;
  to: SeenRow | null;
  /** Names of what differs in a changed row that could be read both times; `attributes.` stands before their names. */
  fields: string[];
}

/** Some differences, by person; those that are nobody's come last. */
export interface DifferencePage {
  differences: RowDifference[];
  /** Where the next page begins; null: this was the last. */
  next: number | null;
}

/** Rows that are looked up at once. */
const lot = 1000;

/** A row in the difference, before it is read. */
interface Place {
  person: string | null;
  course: string;
  side: 'from' | 'to';
  /** Number of its digest among those of its side. */
  at: number;
}

/** Digests in the difference, sorted. */
type Digests = Readonly<Record<'from' | 'to', Uint8Array>>;

/** What differs between two snapshots. */
export class Differences {
  readonly from: Snapshot;
  readonly to: Snapshot;
  readonly #store: Store;
  readonly #digests: Digests;
  readonly #places: readonly Place[];

  private constructor(store: Store, from: Snapshot, to: Snapshot, digests: Digests, places: Place[]) {
    this.from = from;
    this.to = to;
    this.#store = store;
    this.#digests = digests;
    this.#places = places.sort(inOrder);
  }

  /**
   * Compares two snapshots of one source. Throws `Misconfigured` when they are of two, or when retention has taken rows of
   * one: a difference with some of its rows missing would be a wrong answer.
   */
  static async between(store: Store, from: Snapshot, to: Snapshot): Promise<Differences> {
    if (from.source !== to.source)
      throw new Misconfigured(`${nameOf(from)} and ${nameOf(to)} are snapshots of two sources`, {
        remedy: 'compare two of the same; rosterd snapshots lists them',
      });
    const [before, after] = [(await packsOf(store, from)).set, (await packsOf(store, to)).set];
    const digests = { from: without(before, after), to: without(after, before) };
    const places: Place[] = [];
    for (const [side, of] of [['from', from] as const, ['to', to] as const])
      for (let at = 0, size = digests[side].length / digestBytes; at < size; at += lot)
        for (const [n, row] of (
          await rowsAt(store, of, digests[side], range(at, Math.min(lot, size - at)))
        ).entries()) {
          const keys = 'record' in row.row ? row.row.keys : row.row.quarantined.hints;
          const course = 'record' in row.row ? (row.row.keys.course ?? '') : '';
          places.push({ person: personKey(keys), course, side, at: at + n });
        }
    return new Differences(store, from, to, digests, places);
  }

  /** Rows that `to` has and `from` has not. */
  get added(): number {
    return this.#digests.to.length / digestBytes;
  }

  /** Rows that `from` has and `to` has not. */
  get gone(): number {
    return this.#digests.from.length / digestBytes;
  }

  /** Differences from a place on: of about so many rows, for a person's are told together. */
  async page(begin: number, limit: number): Promise<DifferencePage> {
    const places = this.#places;
    let end = Math.min(begin + limit, places.length);
    while (end > begin && end < places.length && isOne(places[end - 1]!, places[end]!)) end += 1;
    const taken = places.slice(begin, end);
    const rows = new Map<Place, StoredRow>();
    for (const side of ['from', 'to'] as const)
      for (let at = 0, its = taken.filter((place) => place.side === side); at < its.length; at += lot) {
        const some = its.slice(at, at + lot);
        const numbers = some.map((place) => place.at);
        const found = await rowsAt(this.#store, this[side], this.#digests[side], numbers);
        some.forEach((place, n) => {
          rows.set(place, found[n]!);
        });
      }
    const differences: RowDifference[] = [];
    for (let at = 0; at < taken.length; ) {
      let next = at + 1;
      while (next < taken.length && isOne(taken[at]!, taken[next]!)) next += 1;
      differences.push(...pairs(taken.slice(at, next), rows));
      at = next;
    }
    return { differences, next: end < places.length ? end : null };
  }
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, n) => from + n);
}

/** The rows of the digests with these numbers. */
async function rowsAt(store: Store, of: Snapshot, pack: Uint8Array, numbers: readonly number[]): Promise<StoredRow[]> {
  const digests = numbers.map((at) => pack.subarray(at * digestBytes, (at + 1) * digestBytes));
  const rows = await store.rows.find(of.source, of.number, digests);
  return rows.map((row) => {
    if (row) return row;
    throw new Misconfigured(`rows of the snapshot ${nameOf(of)} are no longer kept`, {
      remedy: 'compare newer ones; retention.snapshots says how many are kept',
    });
  });
}

function nameOf({ source, number }: Snapshot): string {
  return snapshotId(source, number);
}

/** By person, those of nobody last; of a person by course, what is gone before what was added. */
function inOrder(a: Place, b: Place): number {
  if (a.person !== b.person) {
    if (a.person === null || b.person === null) return a.person === null ? 1 : -1;
    return a.person < b.person ? -1 : 1;
  }
  if (a.course !== b.course) return a.course < b.course ? -1 : 1;
  return a.side === b.side ? a.at - b.at : a.side === 'from' ? -1 : 1;
}

/** True for places of one person. */
function isOne(a: Place, b: Place): boolean {
  return a.person !== null && a.person === b.person;
}

/**
 * The rows of one person, each with the one that took its place: that of the same course, or else the next one that has none,
 * for who leaves a course for another has moved.
 */
function pairs(places: readonly Place[], rows: ReadonlyMap<Place, StoredRow>): RowDifference[] {
  const gone = places.filter(({ side }) => side === 'from');
  const added = new Set(places.filter(({ side }) => side === 'to'));
  const partners = new Map<Place, Place>();
  for (const isPartner of [(a: Place, b: Place) => a.course === b.course, () => true])
    for (const place of gone) {
      if (partners.has(place)) continue;
      const partner = [...added].find((one) => isPartner(place, one));
      if (!partner) continue;
      partners.set(place, partner);
      added.delete(partner);
    }
  return [
    ...gone.map((place) => difference(place.person, rows.get(place)!, rows.get(partners.get(place)!) ?? null)),
    ...[...added].map((place) => difference(place.person, null, rows.get(place)!)),
  ];
}

function difference(person: string | null, from: StoredRow | null, to: StoredRow | null): RowDifference {
  const seen = { person, from: from && seenOf(from), to: to && seenOf(to) };
  if (!seen.from || !seen.to) return { what: seen.from ? 'gone' : 'added', ...seen, fields: [] };
  const fields = seen.from.record && seen.to.record ? differing(seen.from.record, seen.to.record) : [];
  const same = fields.length === 0 && seen.from.reason === seen.to.reason;
  return { what: same ? 'rewritten' : 'changed', ...seen, fields };
}

function seenOf({ file, line, row }: StoredRow): SeenRow {
  if ('record' in row) return { file, line, record: row.record, reason: null };
  return { file, line, record: null, reason: row.quarantined.reason };
}

/** Names of fields that differ, sorted. */
function differing(a: PersonRecord, b: PersonRecord): string[] {
  const [before, after] = [fieldsOf(a), fieldsOf(b)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name))
    .sort((one, other) => (one < other ? -1 : 1));
}

/** The fields of a record by their names; `attributes.` stands before those of attributes. */
export function fieldsOf({ attributes, ...record }: PersonRecord): Map<string, unknown> {
  return new Map<string, unknown>([
    ...Object.entries(record),
    ...Object.entries(attributes).map(([name, value]): [string, string] => [`attributes.${name}`, value]),
  ]);
}
