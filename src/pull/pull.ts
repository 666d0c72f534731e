import { join } from 'node:path';
import { failureOf } from '../base/errors.ts';
import { withRetry } from '../base/retry.ts';
import { openSpoolDir } from '../base/spool-dir.ts';
import type { Work } from '../base/work.ts';
import type { SourceConfig } from '../configure/config.ts';
import type { Inbox } from '../connector/inbox.ts';
import type { Answer, SourceContext } from '../connector/source.ts';
import type { Format } from '../snapshot/formats/index.ts';
import type { Snapshot } from '../store/port.ts';
import { judgeOf } from './judge.ts';

/** A pull is tried four times within about a minute; what lasts longer is the next run's business. */
export const pullRetry = { retries: 3, firstWaitMs: 2_000, longestWaitMs: 30_000 };

/**
 * Asks the source for one whole answer. Null when there is rightly nothing new. The answer's spool directory lives
 * until the answer is closed.
 */
export async function pull(
  source: SourceConfig,
  format: Format,
  last: Snapshot | null,
  stateDir: string,
  work: Work,
): Promise<Answer | null> {
  // the caller holds the lock of the source
  const { dir: spoolDir, drop } = openSpoolDir(stateDir, `spool-${source.name}`);
  try {
    const answer = await withRetry(
      pullRetry,
      work.clock,
      work.signal,
      () => source.connector.pull(source.settings, sourceContext(source, format, last, stateDir, spoolDir, work)),
      (error, attempt) =>
        work.log.info(
          { event: 'pull.retry', source: source.name, attempt, error: failureOf(error) },
          `${source.name}: attempt ${attempt} failed: ${error.message}`,
        ),
    );
    if (!answer) {
      drop();
      return null;
    }
    return {
      content: answer.content,
      parts: answer.parts,
      scan: (sink) => answer.scan(sink),
      decode: (places) => answer.decode(places),
      accepted: () => answer.accepted(),
      async close() {
        await answer.close();
        drop();
      },
    };
  } catch (error) {
    drop();
    throw error;
  }
}

/** The directory of a source that lasts. */
export function keepDirOf(stateDir: string, source: string): string {
  return join(stateDir, 'keep', source);
}

/** Where pushes to a source wait; undefined: it is not pushed. */
export function inboxOf(stateDir: string, { name, connector, settings }: SourceConfig): Inbox | undefined {
  return connector.inbox?.(settings, keepDirOf(stateDir, name));
}

/** What a source connector is handed. */
export function sourceContext(
  source: SourceConfig,
  format: Format,
  last: Snapshot | null,
  stateDir: string,
  spoolDir: string,
  work: Work,
): SourceContext {
  return {
    source: source.name,
    spoolDir,
    keepDir: keepDirOf(stateDir, source.name),
    lastContent: last?.content ?? null,
    columns: format.columns,
    judge: (columns, lacking) => judgeOf(format, columns, lacking),
    last: last?.parts ?? null,
    signal: work.signal,
    clock: work.clock,
    log: work.log,
    progress: (text) => work.progress(source.name, text),
  };
}
