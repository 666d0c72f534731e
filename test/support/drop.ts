import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import type { CsvDropSettings } from '../../connectors/csv-drop/schema.ts';
import type { Clock } from '../../src/base/clock.ts';
import { RosterdError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Answer, DecodedRow, RowPlace, SourceContext } from '../../src/connector/source.ts';

/** What tests of drop folders share. */

/** A folder that is gone when the test is. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-drop-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A clock whose waits take no time; each runs the next of `steps`, the way the world goes on while one waits. */
export function steppedClock(...steps: (() => void)[]): Clock & { waits: number[] } {
  const waits: number[] = [];
  let time = 0;
  return {
    waits,
    now: () => new Date(Date.UTC(2026, 0, 15, 2, 15, 0) + time),
    monotonic: () => time,
    async wait(ms, signal) {
      signal?.throwIfAborted();
      waits.push(ms);
      time += ms;
      steps.shift()?.();
    },
  };
}

/** Beside a real server: its silence is waited for as well, by the default of `timeout`, and an answer comes first. */
export function besideServer<C extends Clock>(clock: C): C {
  const wait: Clock['wait'] = (ms, signal) =>
    ms === 60_000 ? unlessStopped(new Promise(() => {}), signal) : clock.wait(ms, signal);
  return { ...clock, wait };
}

/** A promise as a wait of a clock: an abort ends it. */
export function unlessStopped(passed: Promise<void>, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    passed.then(resolve);
  });
}

export function dropContext(changes: Partial<SourceContext> = {}): SourceContext {
  return {
    source: 'sis-students',
    spoolDir: temporaryFolder(),
    keepDir: temporaryFolder(),
    lastContent: null,
    columns: { required: ['id', 'email'], optional: ['name'], exact: true },
    judge: () => () => null,
    last: null,
    signal: new AbortController().signal,
    clock: steppedClock(),
    log: silentLog,
    progress() {},
    ...changes,
  };
}

/** Settings as a configuration would give them. */
export function dropSettings(from: string, more: Record<string, unknown> = {}): CsvDropSettings {
  const written = { from, files: 'students-*.csv', ...more };
  return csvDrop.settings.parse(written satisfies z.input<typeof csvDrop.settings>);
}

/** Writes a file with a time of its own, in seconds. */
export function drop(folder: string, name: string, content: string | Buffer, modified?: number): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  if (modified !== undefined) utimesSync(file, modified, modified);
  return file;
}

export type ReadRow = { part: number; line: number } & DecodedRow;

/** Every row of an answer: scanned, then decoded. */
export async function readAll(answer: Answer): Promise<ReadRow[]> {
  const places: RowPlace[] = [];
  await answer.scan({
    row(_bytes, start, end, part, offset, line) {
      places.push({ part, offset, length: end - start, line });
    },
  });
  const rows = await answer.decode(places);
  return places.map(({ part, line }, i) => ({ part, line, ...rows[i]! }));
}

/** Pulls, and gives the answer back when the test is over. */
export async function pulled(settings: CsvDropSettings, context: SourceContext): Promise<Answer> {
  const answer = await csvDrop.pull(settings, context);
  if (answer === null) throw new Error('there was nothing to pull');
  onTestFinished(() => answer.close());
  return answer;
}

/** What `last` says after this answer was committed. */
export const lastOf = (answer: Answer): NonNullable<SourceContext['last']> => answer.parts;

/** The error that a promise ends with, as kind and full text. */
export async function failure(promise: Promise<unknown>): Promise<{ kind: string; line: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof RosterdError) return { kind: error.kind, line: error.line() };
    throw error;
  }
  throw new Error('it did not fail');
}

/** Overwrites bytes in place and sets the time back, as a careless tool does. */
export function overwriteUnseen(file: string, content: string): void {
  const { atime, mtime } = statSync(file);
  writeFileSync(file, content, { flag: 'r+' });
  utimesSync(file, atime, mtime);
}

/** Until a change of `file` would show in its times: a file system counts time in steps of some milliseconds. */
export function untilTimeMoves(file: string): void {
  const probe = `${file}.probe`;
  do writeFileSync(probe, '');
  while (statSync(probe, { bigint: true }).ctimeNs <= statSync(file, { bigint: true }).ctimeNs);
  rmSync(probe);
}
