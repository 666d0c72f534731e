import { Incomplete } from '../base/errors.ts';
import type { Work } from '../base/work.ts';
import type { Answer, DecodedRow } from '../connector/source.ts';
import { type CourseName, courseKey } from '../connector/target.ts';
import type { CourseDifference } from '../reconcile/evidence.ts';
import { keysOf, keysOfAccount, personKey } from '../reconcile/model.ts';
import {
  type QuarantinedRow,
  type Snapshot,
  type SourceState,
  type Store,
  type StoredRow,
  snapshotId,
} from '../store/port.ts';
import { rowKeysOf } from '../store/row-keys.ts';
import { noAddress } from './formats/fields.ts';
import type { Format } from './formats/index.ts';
import { withoutShown } from './formats/text.ts';
import { applyDelta, type Delta, type Difference, digestBytes, digestsOf, joinDeltas } from './pack.ts';
import { hasCourse, type Normaliser, type Quarantined, type Remark } from './record.ts';
import { RowIndex } from './row-index.ts';

/** A snapshot as the next steps need it, written down but not yet in force. */
export interface Taken {
  snapshot: Snapshot;
  /** The one in force until now. */
  before: Snapshot | null;
  /** False: the answer said nothing new, and `snapshot` is the one in force already. */
  staged: boolean;
  /** False: there was no answer. Nobody has said of late that `snapshot` still holds. */
  answered: boolean;
  /** Person keys of rows that came or went; null when there are too many to name. */
  touched: ReadonlySet<string> | null;
  courses: CourseDifference;
  quarantine: QuarantinedRow[];
  /** What the rows of the difference made people remark, the first 100; and how often there was something. */
  remarks: RowRemark[];
  remarked: number;
  /** Why nothing at all may be removed on this snapshot's word; else null. */
  blockAll: string | null;
}

/** A remark, and where its row stands. */
export interface RowRemark extends Remark {
  file: string;
  line: number;
}

/** Remarks that a run lists; the others are counted. */
const mostRemarks = 100;
/** More touched people than this are not listed: everybody is looked at instead. */
const mostTouched = 300_000;
/** Rows decoded and stored at a time. */
const batchSize = 2000;
/** A new full pack is written when the delta to the last full one is larger than this share of it. */
const largestDelta = 0.1;
/** Quarantined rows that are looked at; one of more could be anybody's, so that nothing is removed then. */
const mostQuarantined = 10_000;

/**
 * Turns a complete answer into a snapshot: the same bytes are recognised first; else rows are compared by digest, and
 * only rows in the difference are decoded and stored. `state` is updated and saved before the first row is written, so
 * that a crash leaves nothing that the next run would mistake for truth.
 */
export async function takeSnapshot(
  store: Store,
  state: SourceState,
  run: string,
  answer: Answer,
  format: Format,
  work: Work,
): Promise<Taken> {
  const before = state.current === null ? null : await store.snapshots.get(state.source, state.current);
  const none = { added: [], gone: [] };
  if (before?.content === answer.content && before.reading === format.fingerprint)
    return finish(store, before, before, false, new Set(), { ...none, remarks: [], remarked: 0 }, null);

  const index = new RowIndex(answer.parts, format.fingerprint);
  try {
    await answer.scan(index);
    work.signal.throwIfAborted();
    await index.finish();
  } catch (error) {
    await index.abandon();
    throw error;
  }
  work.progress(state.source, `${index.seen.toLocaleString('en')} rows read, comparing`);
  const { number, difference, base } = await stage(store, state, before, index);
  const touched = new Set<string>();
  const added = await storeAdded(store, state.source, number, answer, format, index, difference, touched, work);
  const gone = await endGone(store, state.source, number, difference.gonePack, touched, work);
  const records = (before?.records ?? 0) + added.records - gone.records;
  const quarantined = (before?.quarantined ?? 0) + added.quarantined - gone.quarantined;
  if (quarantined > 0 && records === 0) throw await unreadable(store, state.source, number, quarantined);
  const snapshot: Snapshot = {
    source: state.source,
    number,
    run,
    at: work.clock.now().toISOString(),
    content: answer.content,
    reading: format.fingerprint,
    parts: answer.parts.map(({ name, bytes, sha256, modified }) => ({ name, bytes, sha256, modified })),
    records,
    quarantined,
    added: difference.added.length,
    gone: difference.gonePack.length / digestBytes,
    base,
  };
  await store.snapshots.put(snapshot);

  const overflow = touched.size >= mostTouched;
  const { remarks, remarked } = added;
  const said = { added: [...added.courses.values()], gone: [...gone.courses], remarks, remarked };
  return finish(store, snapshot, before, true, overflow ? null : touched, said, index);
}

/** The snapshot in force once more, for a source that has nothing new to say. */
export async function takeAgain(store: Store, snapshot: Snapshot): Promise<Taken> {
  const said = { added: [], gone: [], remarks: [], remarked: 0 };
  return { ...(await finish(store, snapshot, snapshot, false, new Set(), said, null)), answered: false };
}

/** Rows, and not one of them a record: the file is not what the format takes it for. A success it must never be. */
async function unreadable(store: Store, source: string, number: number, count: number): Promise<Incomplete> {
  const [first] = await store.rows.quarantined(source, number, 1);
  const { file, line, column, reason } = first!;
  const what = count === 1 ? 'the only row cannot be read' : `none of the ${count} rows can be read`;
  return new Incomplete(`${what}; the first one: ${column ? `${column}: ` : ''}${withoutShown(reason)}`, {
    remedy: 'look whether the export or the format of this source has changed',
    where: line ? { file, line } : { file },
  });
}

async function finish(
  store: Store,
  snapshot: Snapshot,
  before: Snapshot | null,
  staged: boolean,
  touched: Taken['touched'],
  said: { added: readonly CourseName[]; gone: readonly string[]; remarks: RowRemark[]; remarked: number },
  index: RowIndex | null,
): Promise<Taken> {
  const quarantine = await store.rows.quarantined(snapshot.source, snapshot.number, mostQuarantined);
  for (const row of quarantine) {
    // A row that was broken before stands elsewhere today; people look into today's file. One without a line has a name.
    if (row.line === 0) continue;
    const place = index?.find(row.digest) ?? -1;
    if (place < 0) continue;
    const { part, line } = index!.place(place);
    Object.assign(row, { file: snapshot.parts[part]!.name, line });
  }
  quarantine.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
  const unknown = await anybodys(store, snapshot, quarantine);
  const tooMany = snapshot.quarantined > mostQuarantined;
  return {
    snapshot,
    before,
    staged,
    answered: true,
    touched,
    quarantine,
    remarks: said.remarks,
    remarked: said.remarked,
    blockAll: blockedBy(snapshot, unknown, tooMany),
    courses: {
      added: said.added,
      gone: said.gone,
      doubt: {
        any: tooMany || quarantine.some((row) => row.course === null),
        courses: new Set(quarantine.flatMap((row) => (row.course ? [courseKey(row.course)] : []))),
      },
    },
  };
}

/**
 * Quarantined rows of which nobody can tell whose they are: nothing in them names anybody; or something else stands in the
 * place of the address, and nobody has the id or number that they seem to have. A comma too many in a name makes such a
 * line: its cells have moved, and the year stands where the id was. Only lines of files have cells that move, and a newcomer
 * who has no address yet is no reason to hold back anybody.
 */
async function anybodys(
  store: Store,
  { source, number }: Snapshot,
  quarantine: readonly QuarantinedRow[],
): Promise<QuarantinedRow[]> {
  const nameless = quarantine.filter(
    ({ hints, line, reason }) => personKey(hints) === null || (line > 0 && reason === noAddress),
  );
  const keys = [...new Set(nameless.flatMap(({ hints }) => keysOf(hints)))];
  const evidence = store.rows.evidence(source, number);
  const known = new Set<string>();
  for (let at = 0; at < keys.length; at += batchSize) {
    const asked = keys.slice(at, at + batchSize);
    for (const { record } of await evidence.rows(asked)) for (const key of record ? keysOf(record) : []) known.add(key);
    for (const account of await evidence.accounts(asked)) for (const key of keysOfAccount(account)) known.add(key);
  }
  return nameless.filter(({ hints }) => !keysOf(hints).some((key) => known.has(key)));
}

/** Why nothing may be removed on a snapshot's word; null when nothing speaks against it. */
function blockedBy({ source, number, quarantined }: Snapshot, unknown: readonly QuarantinedRow[], tooMany: boolean) {
  const id = `snapshot ${snapshotId(source, number)}`;
  if (unknown.length) {
    const rows = `${unknown.length} quarantined row${unknown.length === 1 ? '' : 's'}`;
    return `${id} has ${rows} that could be anybody (${placeOf(unknown[0]!)})`;
  }
  return tooMany ? `${id} has ${quarantined} quarantined rows, of which only ${mostQuarantined} are looked at` : null;
}

/** Where a row stands, for people. */
function placeOf({ file, line }: { file: string; line: number }): string {
  return line ? `${file} line ${line}` : file;
}

/**
 * Compares an answer with the snapshot in force, and gives the new one its number and its digests. They are written
 * before any row, so that the sets are no longer in memory when rows are.
 */
async function stage(
  store: Store,
  state: SourceState,
  before: Snapshot | null,
  index: RowIndex,
): Promise<{ number: number; difference: Difference; base: number }> {
  const packs = await packsOf(store, before);
  const difference = index.compare(packs.set);
  const number = state.next;
  Object.assign(state, { staging: number, next: number + 1 });
  await store.sources.put(state);
  return { number, difference, base: await storePack(store, state.source, number, before, packs, difference) };
}

/** Digests as a snapshot has them: the full pack of its base, what came and went since, and what both come to. */
interface Packs extends Delta {
  base: Uint8Array;
  set: Uint8Array;
}

/** The digests of a snapshot; null: of none. */
export async function packsOf(store: Store, before: Snapshot | null): Promise<Packs> {
  const none = new Uint8Array(0);
  if (!before) return { base: none, addedPack: none, gonePack: none, set: none };
  const base = await store.snapshots.pack(before.source, before.base, 'full');
  if (before.base === before.number) return { base, addedPack: none, gonePack: none, set: base };
  const addedPack = await store.snapshots.pack(before.source, before.number, 'added');
  const gonePack = await store.snapshots.pack(before.source, before.number, 'gone');
  return { base, addedPack, gonePack, set: applyDelta(base, addedPack, gonePack) };
}

/** Writes the digests: as a delta to the last full pack while that is small, else in full. Returns the base's number. */
async function storePack(
  store: Store,
  source: string,
  number: number,
  before: Snapshot | null,
  packs: Packs,
  difference: Difference,
): Promise<number> {
  if (before && packs.base.length) {
    const delta = joinDeltas(packs, difference);
    if (delta.addedPack.length + delta.gonePack.length <= packs.base.length * largestDelta) {
      await store.snapshots.putPack(source, number, 'added', delta.addedPack);
      await store.snapshots.putPack(source, number, 'gone', delta.gonePack);
      return before.base;
    }
  }
  const full = applyDelta(packs.set, difference.addedPack, difference.gonePack);
  await store.snapshots.putPack(source, number, 'full', full);
  return number;
}

async function storeAdded(
  store: Store,
  source: string,
  number: number,
  answer: Answer,
  format: Format,
  index: RowIndex,
  difference: Difference,
  people: Set<string>,
  work: Work,
) {
  const result = {
    ...{ records: 0, quarantined: 0, remarked: 0 },
    courses: new Map<string, CourseName>(),
    remarks: [] as RowRemark[],
  };
  for (const { name: file, columns } of answer.parts)
    for (const column of format.passwords(columns)) {
      result.remarked += 1;
      if (result.remarks.length < mostRemarks)
        result.remarks.push({ file, line: 0, column, reason: 'holds passwords, and is passed over' });
    }
  const normalisers: Normaliser[] = answer.parts.map((part) => format.normaliser(part.columns, part.lists));
  for (let at = 0; at < difference.added.length; at += batchSize) {
    work.signal.throwIfAborted();
    const added = difference.added.subarray(at, at + batchSize);
    const places = Array.from(added, (row) => index.place(row));
    const decoded = await answer.decode(places);
    const rows = decoded.map((row, n): StoredRow => {
      const place = places[n]!;
      const normalise = normalisers[place.part]!;
      const normalised =
        'cells' in row ? normalise(row.cells) : brokenRow(row, answer.parts[place.part]!.columns, normalise);
      const base = {
        digest: index.digestOf(added[n]!),
        file: row.origin ?? answer.parts[place.part]!.name,
        line: row.origin === undefined ? place.line : 0,
      };
      if ('quarantined' in normalised) {
        result.quarantined += 1;
        note(people, personKey(normalised.quarantined.hints));
        return { ...base, row: normalised };
      }
      const { record, remarks } = normalised;
      const keys = rowKeysOf(record);
      result.records += 1;
      for (const remark of remarks ?? []) {
        result.remarked += 1;
        if (result.remarks.length < mostRemarks) result.remarks.push({ file: base.file, line: base.line, ...remark });
      }
      note(people, personKey(record));
      if (keys.course !== null && !result.courses.has(keys.course))
        result.courses.set(keys.course, {
          faculty: record.faculty,
          department: record.department,
          course: record.course,
        });
      return { ...base, row: { record, keys } };
    });
    await store.rows.add(source, number, rows);
    if (difference.added.length > batchSize)
      work.progress(
        source,
        `${Math.min(at + batchSize, difference.added.length).toLocaleString('en')} of ${difference.added.length.toLocaleString('en')} new rows read`,
      );
  }
  return result;
}

/** A row that the source could not read. Cells that it could read tell whom it may be about. */
function brokenRow(
  { broken, column, about }: Extract<DecodedRow, { broken: string }>,
  columns: readonly string[],
  normalise: Normaliser,
): { quarantined: Quarantined } {
  const nobody = { hints: { number: null, id: null, email: null }, course: null };
  const read = about ? normalise(about) : { quarantined: nobody };
  const { hints, course } =
    'record' in read
      ? { hints: { number: read.record.number, id: read.record.id, email: read.record.email }, course: read.record }
      : read.quarantined;
  const name = column === null ? null : about ? columns[column - 1]! : `column ${column}`;
  return {
    quarantined: {
      reason: broken,
      column: name,
      hints,
      course:
        course && hasCourse(course)
          ? { faculty: course.faculty, department: course.department, course: course.course }
          : null,
    },
  };
}

async function endGone(
  store: Store,
  source: string,
  number: number,
  gone: Uint8Array,
  people: Set<string>,
  work: Work,
) {
  const result = { records: 0, quarantined: 0, courses: new Set<string>() };
  for (let at = 0; at < gone.length; at += batchSize * digestBytes) {
    work.signal.throwIfAborted();
    for (const row of await store.rows.end(
      source,
      number,
      digestsOf(gone.subarray(at, at + batchSize * digestBytes)),
    )) {
      if (row.quarantined) result.quarantined += 1;
      else result.records += 1;
      note(people, row.person);
      if (row.course) result.courses.add(row.course);
    }
  }
  return result;
}

/** Adds while there is room: one more than fits is enough to know that there are too many. */
function note(people: Set<string>, key: string | null): void {
  if (key !== null && people.size < mostTouched) people.add(key);
}
