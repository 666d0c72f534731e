import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Work } from '../base/work.ts';
import type { Config, SourceConfig } from '../configure/config.ts';
import type { Answer, RowPlace } from '../connector/source.ts';
import { courseTitle } from '../connector/target.ts';
import { sourceContext } from '../pull/pull.ts';
import { formatOf } from '../snapshot/formats/index.ts';
import { withoutShown } from '../snapshot/formats/text.ts';
import { hasCourse, isReason, type PersonRecord } from '../snapshot/record.ts';
import type { Snapshot } from '../store/port.ts';

/** What a pull of a source would read, found out by pulling; nothing of it is kept. */
export interface Preview {
  /** Sentences of the login. */
  found: string[];
  /** What keeps nothing back, and should not stay as it is. */
  warnings: string[];
  /** Null when there is rightly nothing new to read. Left out: the source is pushed, and what waits is its runs' business. */
  answer?: {
    rows: number;
    bytes: number;
    parts: number;
    /** The first records, with what is personal masked. */
    records: Record<string, string>[];
    /** Of the first rows, those that cannot be read, and why the first of them cannot. */
    looked: number;
    unreadable: number;
    reason: string | null;
  } | null;
}

/** Rows that are looked into. */
const lookedAt = 1000;
const shownRecords = 3;

/**
 * Logs in, pulls and counts. Throws what a run would fail with: a preview is complete, or there is none. The answer is
 * closed without having been accepted, so that the next run finds everything as it was. `last` is the snapshot in force,
 * which a run would build on: a delta, a 304 or an archive says nothing by itself.
 */
export async function previewSource(
  source: SourceConfig,
  last: Snapshot | null,
  config: Config,
  work: Work,
): Promise<Preview> {
  mkdirSync(config.stateDir, { recursive: true, mode: 0o750 });
  const spool = mkdtempSync(join(config.stateDir, 'probe-'));
  let answer: Answer | null = null;
  try {
    const format = formatOf(source.format, source.role);
    const context = sourceContext(source, format, last, config.stateDir, spool, work);
    const found = await source.connector.probe(source.settings, context);
    if (source.connector.inbox) return { found, warnings: [] };
    answer = await source.connector.pull(source.settings, context);
    if (!answer) return { found, warnings: [], answer: null };
    const places: RowPlace[] = [];
    let rows = 0;
    await answer.scan({
      row(_bytes, start, end, part, offset, line) {
        rows += 1;
        if (places.length < lookedAt) places.push({ part, offset, length: end - start, line });
      },
    });
    const normalisers = answer.parts.map((part) => format.normaliser(part.columns, part.lists));
    const read = (await answer.decode(places)).map((row, at) =>
      'cells' in row ? normalisers[places[at]!.part]!(row.cells) : { quarantined: { reason: row.broken } },
    );
    const bad = read.flatMap((row) => ('quarantined' in row ? [row.quarantined.reason] : []));
    const good = read.flatMap((row) => ('record' in row ? [row.record] : []));
    const passwords = new Set(answer.parts.flatMap(({ columns }) => format.passwords(columns)));
    return {
      found,
      warnings: [...passwords].map(
        (column) => `the column "${column}" holds passwords: it is passed over, and better left out of the file`,
      ),
      answer: {
        rows,
        bytes: answer.parts.reduce((sum, part) => sum + part.bytes, 0),
        parts: answer.parts.length,
        records: good.slice(0, shownRecords).map(masked),
        looked: places.length,
        unreadable: bad.length,
        reason: bad[0] === undefined ? null : withoutShown(bad[0]),
      },
    };
  } finally {
    await answer?.close();
    rmSync(spool, { recursive: true, force: true });
  }
}

/** The answer as sentences. */
export function previewLines({ answer }: Pick<Preview, 'answer'>): string[] {
  if (!answer) return ['complete: nothing new to read'];
  const { rows, bytes, records, looked, unreadable, reason } = answer;
  const count = (value: number): string => value.toLocaleString('en');
  const lines = [`complete: ${count(rows)} ${rows === 1 ? 'row' : 'rows'}, ${count(bytes)} bytes`];
  if (unreadable) lines.push(`${count(unreadable)} of the first ${count(looked)} rows cannot be read; ${reason}`);
  for (const record of records) {
    const fields = Object.entries(record).map(([name, value]) => `${name}: ${value}`);
    lines.push(`record  ${fields.join(', ')}`);
  }
  return lines;
}

/**
 * A record that may be shown to whoever sets rosterd up, and be pasted into a ticket: of names, ids, addresses and
 * attributes the first character; course, year and kind as they are. Blank fields are left out.
 */
export function masked(record: PersonRecord): Record<string, string> {
  const { number, id, email, firstName, lastName, kind, year, attributes } = record;
  const hidden = (text: string): string => (text === '' ? '' : `${[...text][0]}…`);
  const [, host = ''] = email.split('@');
  const shown: Record<string, string | null> = {
    number: number && hidden(number),
    id: id && hidden(id),
    email: email && `${hidden(email)}@${host}`,
    firstName: hidden(firstName),
    lastName: hidden(lastName),
    kind,
    year: year === null ? null : String(year),
    course: hasCourse(record) ? courseTitle(record) : null,
    account: isReason(record) ? null : 'none',
    ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`attributes.${name}`, hidden(value)])),
  };
  return Object.fromEntries(Object.entries(shown).filter((entry): entry is [string, string] => !!entry[1]));
}
