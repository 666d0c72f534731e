import { endianness } from 'node:os';
import { keysOf } from '../../reconcile/model.ts';
import type { Database, Row } from './database.ts';
import { hashOfText, mergePairs, mostSorted, type Pairs, placeOf, sortPairs } from './pairs.ts';

/**
 * Finds rows by digest, by key (`keysOf`) and by course. B-trees over such keys were refused: each new row would touch
 * another page of each of them, and a file of which one in a hundred changed would write a page for every tenth row of
 * the table. Here what a snapshot brings is one sorted run, written once and in one place; runs are merged when a later
 * one is no longer small beside the one before, so that there are few, and each pair is rewritten only now and then.
 *
 * All of it follows from `rows`, and lags behind: rows are indexed when somebody asks. `found_runs` says up to which row
 * that was done, in the transaction that did it; so a cut at any instant leaves less to find in runs and more to add to
 * them, never a row that is in neither.
 */

/** What rows are found by. */
export const by = { digest: 0, key: 1, course: 2 } as const;
type By = (typeof by)[keyof typeof by];

/** Pairs of one piece: a few pages, so that one look-up reads little. */
const piecePairs = 1024;
/** Room between the pieces of two runs. */
const mostPieces = 2 ** 24;
/** A run is merged into the one before it unless it is this many times smaller. */
const smallBeside = 4;
/** Rows that are indexed at a time: three keys each stay below `mostSorted`. */
const rowsAtOnce = 200_000;
/** Most pairs (8 bytes each) that one reader holds in memory; beyond that, pieces are read one by one. */
const mostHeld = 2_000_000;

interface RunOfPairs {
  id: number;
  size: number;
  /** The first hash of each piece. */
  lows: Uint32Array;
  /** All its pairs, once many were asked for. */
  held: Pairs | null;
}

/** The first 32 bits of a digest. */
export function hashOfDigest(digest: Uint8Array): number {
  return ((digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!) >>> 0;
}

/** Adds rows to the runs that are not yet in them. */
export function indexRows(db: Database): void {
  const last = Number(db.get('SELECT max(id) AS id FROM rows')!['id'] ?? 0);
  if (last > 0xffff_ffff) throw new Error('the row numbers are used up');
  for (let after = indexedUpTo(db); after < last; ) after = indexSome(db, after);
}

function indexedUpTo(db: Database): number {
  return Number(db.get('SELECT max(last_row) AS row FROM found_runs')!['row'] ?? 0);
}

/** After rows were deleted: numbers above the highest left will be given again, and are not indexed. */
export function forgetRowsAbove(db: Database): void {
  const last = Number(db.get('SELECT max(id) AS id FROM rows')!['id'] ?? 0);
  for (const run of db.all('SELECT id FROM found_runs WHERE first_row > ?', last)) deleteRun(db, Number(run['id']));
  db.run('UPDATE found_runs SET last_row = ?1 WHERE last_row > ?1', last);
}

function indexSome(db: Database, after: number): number {
  const sql = 'SELECT id, digest, person, number, email, alias, course FROM rows WHERE id > ? ORDER BY id LIMIT ?';
  const found = [new Gathered(1), new Gathered(3), new Gathered(1)] as const;
  let last = after;
  for (const row of db.each(sql, after, rowsAtOnce)) {
    last = Number(row['id']);
    found[by.digest].add(hashOfDigest(row['digest'] as Uint8Array), last);
    for (const key of keysOfRow(row)) found[by.key].add(hashOfText(key), last);
    if (row['course'] !== null) found[by.course].add(Number(row['course']), last);
  }
  db.tx(() => {
    for (const kind of Object.values(by)) {
      const pairs = found[kind].sorted();
      if (pairs.length) writeRun(db, kind, inPieces(pairs), pairs.length / 2, after + 1, last);
    }
  });
  // By itself: what is written above is already found, and a merge may take a while.
  for (const kind of Object.values(by)) mergeRuns(db, kind);
  return last;
}

/** Pairs on their way into a run. */
class Gathered {
  #hashes: Uint32Array;
  #rows: Uint32Array;
  #count = 0;
  constructor(perRow: number) {
    this.#hashes = new Uint32Array(4096 * perRow);
    this.#rows = new Uint32Array(4096 * perRow);
  }
  add(hash: number, row: number): void {
    if (this.#count === this.#hashes.length) {
      const [hashes, rows] = [new Uint32Array(this.#count * 2), new Uint32Array(this.#count * 2)];
      hashes.set(this.#hashes);
      rows.set(this.#rows);
      [this.#hashes, this.#rows] = [hashes, rows];
    }
    this.#hashes[this.#count] = hash;
    this.#rows[this.#count] = row;
    this.#count += 1;
  }
  sorted(): Pairs {
    if (this.#count > mostSorted) throw new Error('more pairs than are sorted at a time');
    return sortPairs(this.#hashes, this.#rows, this.#count);
  }
}

/** The keys of a stored row, as `keysOf` gives them. */
export function keysOfRow(row: Row): string[] {
  const person = row['person'] as string | null;
  const id = person?.startsWith('i:') ? person.slice(2) : null;
  const keys = { number: row['number'] as string | null, id, email: row['email'] as string | null };
  return keysOf(row['alias'] === null ? keys : { ...keys, alias: row['alias'] as string });
}

function* inPieces(pairs: Pairs): Generator<Pairs> {
  for (let at = 0; at < pairs.length; at += piecePairs * 2) yield pairs.subarray(at, at + piecePairs * 2);
}

function writeRun(db: Database, kind: By, pieces: Iterable<Pairs>, most: number, first: number, last: number): void {
  db.run("INSERT INTO found_runs (kind, size, first_row, last_row, lows) VALUES (?, 0, 0, 0, x'')", kind);
  const id = Number(db.get('SELECT last_insert_rowid() AS id')!['id']);
  const lows = new Uint32Array(Math.ceil(most / piecePairs));
  let [count, size] = [0, 0];
  for (const piece of pieces) {
    lows[count] = piece[0]!;
    db.run('INSERT INTO found_pieces (id, pairs) VALUES (?, ?)', id * mostPieces + count, bytesOf(piece));
    count += 1;
    size += piece.length / 2;
  }
  db.run(
    'UPDATE found_runs SET size = ?, first_row = ?, last_row = ?, lows = ? WHERE id = ?',
    ...[size, first, last, bytesOf(lows.subarray(0, count)), id],
  );
}

function deleteRun(db: Database, id: number): void {
  db.run('DELETE FROM found_pieces WHERE id BETWEEN ? AND ?', id * mostPieces, (id + 1) * mostPieces - 1);
  db.run('DELETE FROM found_runs WHERE id = ?', id);
}

/** Merges from the end as long as the last run is not small beside the one before: a pair moves few times in its life. */
function mergeRuns(db: Database, kind: By): void {
  for (;;) {
    const sql = 'SELECT id, size, first_row, last_row FROM found_runs WHERE kind = ? ORDER BY first_row DESC LIMIT 2';
    const [last, before] = db.all(sql, kind);
    if (!last || !before || Number(last['size']) * smallBeside < Number(before['size'])) return;
    db.tx(() => {
      const [a, b] = [Number(before['id']), Number(last['id'])];
      const most = Number(before['size']) + Number(last['size']);
      const merged = mergePairs(piecesOf(db, a), piecesOf(db, b), piecePairs);
      writeRun(db, kind, merged, most, Number(before['first_row']), Number(last['last_row']));
      deleteRun(db, a);
      deleteRun(db, b);
    });
  }
}

function* piecesOf(db: Database, run: number): Generator<Pairs> {
  // Some at a time: no statement stays open, and no more than a few pieces lie in memory.
  const sql = 'SELECT id, pairs FROM found_pieces WHERE id > ? AND id < ? ORDER BY id LIMIT 64';
  for (let after = run * mostPieces - 1; ; ) {
    const pieces = db.all(sql, after, (run + 1) * mostPieces);
    if (!pieces.length) return;
    for (const piece of pieces) yield wordsOf(piece['pairs'] as Uint8Array);
    after = Number(pieces.at(-1)!['id']);
  }
}

/** A run that was read about is there no more: somebody else has merged it into another one. */
class Merged extends Error {}

/**
 * Looks rows up that are indexed. Runs may be merged meanwhile, by another source that takes a snapshot or by another
 * process: then it looks into those that there are, which may have rows that came later.
 */
export class Finder {
  readonly #db: Database;
  readonly #runs = new Map<By, RunOfPairs[]>();
  #held = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Numbers of rows that may have one of the hashes, each once and sorted. */
  candidates(kind: By, hashes: Uint32Array): number[] {
    const wanted = hashes.slice().sort();
    for (;;)
      try {
        const found: number[] = [];
        for (const run of this.#runsOf(kind)) {
          this.#hold(run, wanted.length);
          if (run.held) findInHeld(run.held, run.lows, wanted, found);
          else this.#findInPieces(run, wanted, found);
        }
        return [...new Set(found)].sort((a, b) => a - b);
      } catch (error) {
        if (!(error instanceof Merged)) throw error;
        this.#runs.clear();
        this.#held = 0;
      }
  }

  #runsOf(kind: By): RunOfPairs[] {
    let runs = this.#runs.get(kind);
    if (!runs) {
      runs = this.#db.all('SELECT id, size, lows FROM found_runs WHERE kind = ?', kind).map((row) => ({
        id: Number(row['id']),
        size: Number(row['size']),
        lows: wordsOf(row['lows'] as Uint8Array),
        held: null,
      }));
      this.#runs.set(kind, runs);
    }
    return runs;
  }

  /** Reads a run whole when about so much of it is wanted anyway, and there is room. */
  #hold(run: RunOfPairs, wanted: number): void {
    if (run.held || wanted * 4 < run.lows.length || this.#held + run.size > mostHeld) return;
    const held = new Uint32Array(run.size * 2);
    let at = 0;
    for (const piece of piecesOf(this.#db, run.id)) {
      held.set(piece, at);
      at += piece.length;
    }
    if (at !== held.length) throw this.#gone(run);
    run.held = held;
    this.#held += run.size;
  }

  #gone({ id }: RunOfPairs): Error {
    const there = this.#db.get('SELECT 1 FROM found_runs WHERE id = ?', id);
    return there ? new Error('a run of the index is not whole') : new Merged();
  }

  #findInPieces(run: RunOfPairs, wanted: Uint32Array, found: number[]): void {
    let [piece, pairs]: [number, Pairs] = [-1, new Uint32Array(0)];
    for (const hash of wanted) {
      // Equal hashes may begin in the piece before the first one that starts with them.
      let at = Math.max(lowsBelow(run.lows, hash) - 1, 0);
      for (; at < run.lows.length && run.lows[at]! <= hash; at += 1) {
        if (piece !== at) {
          const row = this.#db.get('SELECT pairs FROM found_pieces WHERE id = ?', run.id * mostPieces + at);
          if (!row) throw this.#gone(run);
          [piece, pairs] = [at, wordsOf(row['pairs'] as Uint8Array)];
        }
        findFrom(pairs, placeOf(pairs, hash), hash, found);
      }
    }
  }
}

/** How many of the sorted `lows` are smaller. */
function lowsBelow(lows: Uint32Array, hash: number): number {
  let [low, high] = [0, lows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lows[middle]! < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Looks through a whole run; its first hashes lead to the piece, which is little enough to stay at hand. */
function findInHeld(pairs: Pairs, lows: Uint32Array, wanted: Uint32Array, found: number[]): void {
  for (const hash of wanted) {
    const piece = Math.max(lowsBelow(lows, hash) - 1, 0);
    findFrom(pairs, placeOf(pairs, hash, piece * piecePairs, (piece + 1) * piecePairs), hash, found);
  }
}

function findFrom(pairs: Pairs, place: number, hash: number, found: number[]): void {
  for (let at = place * 2; at < pairs.length && pairs[at] === hash; at += 2) found.push(pairs[at + 1]!);
}

const lowFirst = endianness() === 'LE';

/** Words as they lie in the database: the low byte first, whatever the machine does. */
function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return lowFirst ? bytes : Buffer.from(bytes).swap32();
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const copy = lowFirst && bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  if (!lowFirst) Buffer.from(copy.buffer).swap32();
  return new Uint32Array(copy.buffer, copy.byteOffset, copy.byteLength / 4);
}
