import { createHash, type Hash } from 'node:crypto';
import { Incomplete } from '../../src/base/errors.ts';
import type { Judge } from '../../src/connector/columns.ts';
import {
  type Push,
  type PushAnswer,
  type Receipt,
  type ReceiveContext,
  Refused,
  type RefusedRecord,
} from '../../src/connector/inbox.ts';
import { SpoolWriter, spoolLine } from '../../src/connector/spool.ts';
import { readCsv } from './csv.ts';
import type { Entry } from './files.ts';
import { readRecords } from './json.ts';
import { isDropped, others, type ReadRow, type RowTaker, rowsOfJson } from './rows.ts';
import type { PushSettings } from './schema.ts';

/** Refused records that a receipt lists, and names of what was dropped. */
const listed = 100;

/**
 * Reads a body as it comes in, judges each record and writes its rows to `file`. The body itself is never on the disk:
 * it may have columns that nobody shall find there.
 */
export async function receive(
  settings: PushSettings,
  push: Push,
  context: ReceiveContext,
  file: string,
): Promise<Omit<Entry, 'idempotency'> & { body: string }> {
  const answer = push.answer ?? settings.answer;
  const { required, optional } = context.columns;
  if (answer === 'delta' && ![...required, ...optional].includes(settings.idField))
    throw new Refused(
      409,
      `this source takes whole lists only: its format has no column ${settings.idField}`,
      'correct idField',
    );
  const lost = required.find((column) => isDropped(settings, context.columns, column));
  if (lost !== undefined)
    throw new Refused(409, `the format of this source needs ${lost}, which drop throws away`, 'correct drop');
  const hash = createHash('sha256').update(JSON.stringify([push.type, answer]));
  const body = measured(push.body, settings.maxBody, hash);
  const reading = { settings, expected: context.columns, answer };
  const writer = await SpoolWriter.create(file);
  const intake = new Intake(settings, answer, context, writer);
  try {
    if (push.type === 'csv') await readCsv(body, reading, intake);
    else {
      const rows = rowsOfJson(reading, intake);
      intake.begin(rows.columns);
      for await (const records of readRecords(body, settings.maxRecordBytes)) await intake.take(records.map(rows.read));
    }
    const receipt = intake.receipt(push.run);
    const { file: _, ...spooled } = await writer.finish();
    const receivedAt = context.clock.now().toISOString();
    return {
      run: push.run,
      answer,
      columns: [...intake.columns],
      idField: settings.idField,
      spooled,
      receivedAt,
      receipt,
      body: hash.digest('hex'),
    };
  } catch (error) {
    await writer.abandon();
    throw error instanceof Incomplete ? new Refused(400, error.line()) : error;
  }
}

/** The body, counted and hashed. */
async function* measured(body: AsyncIterable<Buffer>, maxBody: number, hash: Hash): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBody)
      throw new Refused(
        413,
        `the body is larger than ${maxBody} bytes`,
        'send it in parts as deltas, or raise maxBody',
      );
    hash.update(chunk);
    yield chunk;
  }
}

/** Takes rows: judges, counts and writes them. */
class Intake implements RowTaker {
  columns: readonly string[] = [];
  readonly #settings: PushSettings;
  readonly #answer: PushAnswer;
  readonly #context: ReceiveContext;
  readonly #writer: SpoolWriter;
  readonly #records: RefusedRecord[] = [];
  readonly #dropped = new Map<string, number>();
  #judge: Judge = () => null;
  #idAt = -1;
  #accepted = 0;
  #refused = 0;

  constructor(settings: PushSettings, answer: PushAnswer, context: ReceiveContext, writer: SpoolWriter) {
    this.#settings = settings;
    this.#answer = answer;
    this.#context = context;
    this.#writer = writer;
  }

  begin(columns: readonly string[]): void {
    this.columns = columns;
    this.#idAt = columns.indexOf(this.#settings.idField);
    // what a delta does not bring stays as it is: what it comes to as a whole is judged when it is merged
    this.#judge = this.#context.judge(columns, this.#answer === 'snapshot' ? 'blank' : 'unknown');
  }

  drop(column: string): void {
    const name = this.#dropped.size < listed || this.#dropped.has(column) ? column : others;
    this.#dropped.set(name, (this.#dropped.get(name) ?? 0) + 1);
  }

  async take(rows: readonly ReadRow[]): Promise<void> {
    for (const row of rows) await this.#writer.addLine(this.#line(row));
    if (this.#accepted + this.#refused > this.#settings.maxRecords)
      throw new Refused(413, `the body has more than ${this.#settings.maxRecords} records`, 'raise maxRecords');
  }

  #line(row: ReadRow): string {
    const { cells, deleted } = row;
    const key = this.#idAt < 0 ? '' : (cells[this.#idAt] ?? '').normalize('NFC').trim();
    const keyless = this.#answer === 'delta' && key === '';
    const broken = row.broken ?? (keyless ? { field: this.#settings.idField, reason: needsKey } : null);
    if (broken) {
      this.#refuse(row, broken.field, broken.reason);
      const column = broken.field === null ? -1 : this.columns.indexOf(broken.field);
      // a field without a column of its own is named in the reason
      const reason = broken.field !== null && column < 0 ? `${broken.field} ${broken.reason}` : broken.reason;
      const about = cells.map((cell) => cell ?? '');
      return spoolLine({ key }, { broken: reason, column: column < 0 ? null : column + 1, about });
    }
    if (deleted) {
      this.#accepted += 1;
      return spoolLine({ key }, { deleted: true });
    }
    const problem = this.#judge(cells);
    if (problem) this.#refuse(row, problem.column, problem.reason);
    else this.#accepted += 1;
    return spoolLine({ key }, cells);
  }

  #refuse({ record, line }: ReadRow, field: string | null, reason: string): void {
    this.#refused += 1;
    if (this.#records.length < listed)
      this.#records.push({ record, ...(line === undefined ? {} : { line }), field, reason });
  }

  receipt(run: string): Receipt {
    const [accepted, refused, records] = [this.#accepted, this.#refused, this.#records];
    if (refused && !accepted)
      throw new Refused(422, `none of the ${refused} records can be taken`, 'see the reasons', records);
    return {
      run,
      answer: this.#answer,
      accepted,
      refused,
      records,
      dropped: Object.fromEntries(this.#dropped),
      note: this.#note(),
    };
  }

  #note(): string | null {
    if (this.#accepted === 0)
      return this.#answer === 'snapshot'
        ? 'an empty list takes nobody away: the list before it stays in force until one with records comes'
        : 'a delta without records changes nothing';
    return this.#refused
      ? 'refused records are in quarantine, and keep back the removals that they may be about'
      : null;
  }
}

const needsKey = 'is blank: a delta tells whose record it is';
