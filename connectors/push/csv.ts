import { decodeBatch, type RowShape } from '../../src/connector/csv/decode.ts';
import { type Header, headBytes, judgeOpenEnd, readHeader } from '../../src/connector/csv/header.ts';
import { type ByteReader, scanRows } from '../../src/connector/csv/scan.ts';
import { Refused } from '../../src/connector/inbox.ts';
import { cellOf } from '../../src/connector/source.ts';
import { isDropped, onlyInDelta, type Reading, type ReadRow, type RowTaker } from './rows.ts';

/** Rows of an upload as it comes in, by the same rules as those of a dropped file. */
export async function readCsv(body: AsyncIterable<Buffer>, reading: Reading, taker: RowTaker): Promise<void> {
  const { settings } = reading;
  const { delimiter, maxRecordBytes: maxRowBytes } = settings;
  const allowed = settings.finalNewline === 'optional';
  const reader = new BodyReader(body);
  const { head, whole } = await reader.head(headBytes(maxRowBytes));
  if (head.length === 0) throw new Refused(400, 'the body is empty', 'a table without people still has a header');
  const header = provedHeader(head, whole, reading);
  const columns = header.columns.length;
  const shape: RowShape = { name, delimiter, columns, maxRowBytes, limit: 'maxRecordBytes', encodings: false };
  const toRow = rowMaker(header.columns, reading, taker);
  taker.begin(toRow.columns);

  let rows: Buffer[] = [];
  let lines: number[] = [];
  // before more is read: so many rows as one buffer has are in memory, whatever the body's length
  const flush = async (): Promise<void> => {
    if (!rows.length) return;
    const batch = Buffer.concat(rows.flatMap((row) => [row, lineFeed]));
    const decoded = decodeBatch(
      batch,
      rows.map((row) => row.length),
      shape,
    );
    const read = decoded.map((row, at) => toRow.read(row, lines[at]!));
    rows = [];
    lines = [];
    await taker.take(read);
  };
  const bytes: ByteReader = {
    async read(buffer, offset, length) {
      await flush();
      return { bytesRead: await reader.into(buffer, offset, length) };
    },
  };
  reader.skip(header.offset);
  await scanRows(
    bytes,
    {
      ...{ name, part: 0, bytes: null, offset: header.offset, line: header.line, delimiter, maxRowBytes },
      // taking rows counts them
      rowsLeft: Number.POSITIVE_INFINITY,
      judgeOpenEnd: (row, line, verdict) =>
        judgeOpenEnd({ name, columns: header.columns, delimiter, allowed }, row, line, verdict),
      signal: new AbortController().signal,
    },
    {
      row(chunk, start, end, _part, _offset, line) {
        rows.push(Buffer.from(chunk.subarray(start, end)));
        lines.push(line);
      },
    },
  );
  await flush();
}

const name = 'upload';
const lineFeed = Buffer.from('\n');

/** The header, proved: of a whole list all that the format wants, of a delta the key at least. */
function provedHeader(head: Buffer, whole: boolean, { settings, expected, answer }: Reading): Header {
  const { required, optional, exact } = expected;
  const { delimiter, maxRecordBytes: maxRowBytes, idField, deletedField } = settings;
  const openEndAllowed = settings.finalNewline === 'optional';
  const rules = { delimiter, encoding: 'utf-8' as const, maxRowBytes, openEndAllowed };
  const wanted = answer === 'delta' ? [idField] : required;
  const read = readHeader(name, head, whole, { ...rules, columns: { required: wanted, optional: [], exact: false } });
  if (!exact) return read;
  const more = read.columns.filter((column) => isDropped(settings, expected, column));
  if (answer === 'delta') more.push(...required, deletedField);
  const columns = { required: wanted, optional: [...optional, ...more], exact };
  return readHeader(name, head, whole, { ...rules, columns });
}

/**
 * Cells by the header become cells of the columns that are kept: those of the format first, in its own order, so that the
 * same people are the same rows however a table orders its columns, and as JSON.
 */
function rowMaker(header: readonly string[], { settings, answer, expected }: Reading, taker: RowTaker) {
  const known = [...expected.required, ...expected.optional];
  const isDeleted = (column: string): boolean => column === settings.deletedField && !known.includes(column);
  const others = header.filter((column) => column !== '' && !known.includes(column) && !isDeleted(column));
  // what a whole list lacks is blank, what a delta lacks stays as it is
  const ours = known.filter((column) => answer === 'snapshot' || header.includes(column));
  const columns = [...ours, ...others].filter((column) => !isDropped(settings, expected, column));
  const kept = columns.map((column) => header.indexOf(column));
  const dropped = header.filter((column) => isDropped(settings, expected, column));
  const deletedAt = header.findIndex(isDeleted);
  let record = 0;
  const read = (row: ReturnType<typeof decodeBatch>[number], line: number): ReadRow => {
    record += 1;
    for (const column of dropped) taker.drop(column);
    if (!('cells' in row)) {
      const field = row.column === null ? null : (header[row.column - 1] ?? null);
      return { record, line, cells: columns.map(() => ''), deleted: false, broken: { reason: row.broken, field } };
    }
    const cells = kept.map((at) => (at < 0 ? '' : cellOf([row.cells[at]!])));
    const mark = deletedAt < 0 ? '' : row.cells[deletedAt]!.trim().toLowerCase();
    const reason = !['', 'true', 'false'].includes(mark)
      ? 'is not true, false or blank'
      : mark === 'true' && answer === 'snapshot'
        ? onlyInDelta
        : null;
    const broken = reason === null ? null : { reason, field: settings.deletedField };
    return { record, line, cells, deleted: mark === 'true', broken };
  };
  return { columns, read };
}

/** A body, read in order: first its head, which is then read again. */
class BodyReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);
  constructor(body: AsyncIterable<Buffer>) {
    this.#chunks = body[Symbol.asyncIterator]();
  }

  /** The first bytes; `whole` when the body has no more. */
  async head(bytes: number): Promise<{ head: Buffer; whole: boolean }> {
    while (this.#held.length < bytes) {
      const { done, value } = await this.#chunks.next();
      if (done) return { head: this.#held, whole: true };
      this.#held = Buffer.concat([this.#held, value]);
    }
    return { head: this.#held, whole: false };
  }

  skip(bytes: number): void {
    this.#held = this.#held.subarray(bytes);
  }

  /** Copies what comes next; 0 at the end. */
  async into(buffer: Buffer, offset: number, length: number): Promise<number> {
    while (!this.#held.length) {
      const { done, value } = await this.#chunks.next();
      if (done) return 0;
      this.#held = value;
    }
    const copied = this.#held.copy(buffer, offset, 0, Math.min(length, this.#held.length));
    this.#held = this.#held.subarray(copied);
    return copied;
  }
}
