import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { Misconfigured, RosterdError, Unavailable } from '../../src/base/errors.ts';
import type { TargetContext } from '../../src/connector/target.ts';
import { isLocked } from './answer.ts';
import type { Call, Client } from './client.ts';
import type { Part } from './parts.ts';
import type { Prepared } from './records.ts';
import type { SalesforceSettings } from './schema.ts';
import { readResults, tables, writeText } from './table.ts';
import type { Outcome } from './upsert.ts';
import { type BulkJob, bulkJob, bulkJobs } from './wire.ts';

/**
 * Bulk API 2.0. A job is created, given one CSV, closed, watched until it is over, and read: three sets of results, in any
 * order, matched by our external id. A job that is over may have done all, some or none of it, whatever its last state is
 * called; what no set speaks of is tried again.
 *
 * No job of ours may still be at work when something newer is written, or it would bring the older state back. So what a
 * dead process or a failed attempt left behind is aborted and waited for first.
 */

const over = new Set(['JobComplete', 'Failed', 'Aborted']);

/** Reasons for a job to fail that do not pass by themselves. */
const lasting = /^(InvalidBatch|ClientInputError)\b/;

/** The calls of a job, in their order. `job` is its id. */
export const jobCalls = {
  create: ({ object, externalId }: Part): Call => ({
    method: 'POST',
    resource: 'jobs/ingest',
    body: {
      json: {
        ...{ object, operation: 'upsert', externalIdFieldName: externalId },
        ...{ contentType: 'CSV', lineEnding: 'LF', columnDelimiter: 'COMMA' },
      },
    },
  }),
  upload: (job: string, csv: string | { file: string }): Call => ({
    ...{ method: 'PUT', resource: `jobs/ingest/${job}/batches`, body: { csv } },
  }),
  turn: (job: string, state: 'UploadComplete' | 'Aborted'): Call => ({
    ...{ method: 'PATCH', resource: `jobs/ingest/${job}`, body: { json: { state } } },
  }),
  look: (job: string): Call => ({ method: 'GET', resource: `jobs/ingest/${job}` }),
  drop: (job: string): Call => ({ method: 'DELETE', resource: `jobs/ingest/${job}` }),
};

/** Writes many records by jobs. */
export interface Jobs {
  /** Ends what earlier attempts and processes left at work. Throws `Unavailable` when it cannot be ended yet. */
  endLeftovers(): Promise<void>;
  /** Upserts records, one job after the other, and gives the outcome of each to `note`. */
  upsert(part: Part, prepared: readonly Prepared[], note: (entry: Prepared, outcome: Outcome) => void): Promise<void>;
}

/** Opens the jobs of a session. */
export function openJobs(settings: SalesforceSettings, client: Client, context: TargetContext): Jobs {
  const { pollEvery, pollFor, jobSize } = settings.bulk!;
  const { clock, signal, spoolDir, progress } = context;
  /** Jobs that this session began and has not seen the end of. */
  const begun = new Set<string>();
  let looked = false;
  let files = 0;

  async function ask<T>(call: Call, schema: z.ZodType<T>): Promise<T> {
    const { json } = await client.call(call);
    const read = schema.safeParse(json);
    if (!read.success) throw new Unavailable(`${call.method} ${call.resource}: the answer is not about a job`);
    return read.data;
  }

  /** Watches a job until it is over, or the time is up; null: it is not over. A look that fails costs only that look. */
  async function watch(job: string): Promise<BulkJob | null> {
    const began = clock.monotonic();
    const end = began + pollFor;
    let pause = pollEvery;
    for (;;) {
      try {
        const seen = await ask(jobCalls.look(job), bulkJob);
        if (over.has(seen.state)) return seen;
        const waited = Math.round((clock.monotonic() - began) / 1000);
        progress(`job ${job} is ${seen.state} in Salesforce, after ${waited.toLocaleString('en')} s`);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
      }
      if (clock.monotonic() + pause > end) return null;
      await clock.wait(pause, signal);
      pause = Math.min(pause * 1.5, pollEvery * 15);
    }
  }

  /** Aborts a job and waits until it is over. One that has just come to its end cannot be aborted, and need not be. */
  async function abort(job: string): Promise<BulkJob> {
    try {
      await client.call(jobCalls.turn(job, 'Aborted'));
    } catch (error) {
      if (!(error instanceof Misconfigured)) throw error;
    }
    const seen = await watch(job);
    if (!seen) throw new Unavailable(`job ${job} was aborted and is still at work`, { delayMs: pollFor });
    return seen;
  }

  /** Takes a job away that has nothing more to say. If that fails it goes by itself, after seven days. */
  async function drop(job: string): Promise<void> {
    begun.delete(job);
    try {
      await client.call(jobCalls.drop(job));
    } catch (error) {
      if (!(error instanceof RosterdError)) throw error;
    }
  }

  /** Unfinished upserts of our user into our objects by our external ids: a dead process's. */
  async function foreign(): Promise<string[]> {
    const user = await client.login();
    if (user === null) return [];
    const parts = new Map([settings.contact, settings.enrolment].map((part) => [part.object.toLowerCase(), part]));
    const found: string[] = [];
    for (let next: string | null = 'jobs/ingest?jobType=V2Ingest'; next !== null; ) {
      const page: z.infer<typeof bulkJobs> = await ask({ method: 'GET', resource: next }, bulkJobs);
      for (const { id, state, object = '', operation, createdById = '' } of page.records) {
        const part = parts.get(object.toLowerCase());
        if (over.has(state) || operation !== 'upsert' || !part) continue;
        if (createdById.slice(0, 15) !== user.slice(0, 15)) continue;
        const { externalIdFieldName } = await ask(jobCalls.look(id), bulkJob);
        if (externalIdFieldName?.toLowerCase() === part.externalId.toLowerCase()) found.push(id);
      }
      const more = page.done || !page.nextRecordsUrl ? null : new URL(page.nextRecordsUrl, settings.url);
      next = more && more.pathname + more.search;
    }
    return found;
  }

  async function run(part: Part, text: Iterable<string>, note: (key: string, outcome: Outcome) => void): Promise<void> {
    files += 1;
    const file = join(spoolDir, `job-${files}.csv`);
    try {
      await writeText(file, text);
      client.mayBegin();
      const { id: job } = await ask(jobCalls.create(part), bulkJob);
      begun.add(job);
      await client.call(jobCalls.upload(job, { file }));
      await client.call(jobCalls.turn(job, 'UploadComplete'));
      const seen = (await watch(job)) ?? (await abort(job));
      if (seen.state === 'Failed' && !seen.numberRecordsProcessed && lasting.test(seen.errorMessage ?? '')) {
        await drop(job);
        throw new Misconfigured(`the job on ${part.object} failed: ${seen.errorMessage}`, {
          remedy: 'check objects and fields of the target',
        });
      }
      await readAll(part, seen, file, note);
      await drop(job);
    } finally {
      await rm(file, { force: true });
    }
  }

  async function readAll(
    { externalId }: Part,
    { id, state, errorMessage }: BulkJob,
    file: string,
    note: (key: string, outcome: Outcome) => void,
  ): Promise<void> {
    const set = async (
      name: string,
      columns: readonly string[],
      outcome: (cells: readonly string[]) => Outcome,
    ): Promise<void> => {
      const resource = `jobs/ingest/${id}/${name}`;
      await client.call({ method: 'GET', resource, into: file });
      await readResults(file, [externalId, ...columns], resource, signal, ([key = '', ...cells]) =>
        note(key, outcome(cells)),
      );
    };
    await set('successfulResults', ['sf__Id', 'sf__Created'], ([id, created]) => ({
      outcome: 'sent',
      answer: `${created === 'true' ? 'created' : 'updated'} ${id}`,
    }));
    await set('failedResults', ['sf__Error'], ([words = '']) => ({
      outcome: isLocked(words) ? 'retry' : 'failed',
      answer: words || 'refused without a reason',
    }));
    const why = `not processed: the job ended as ${state}${errorMessage ? ` (${errorMessage})` : ''}`;
    await set('unprocessedrecords', [], () => ({ outcome: 'retry', answer: why }));
  }

  return {
    async endLeftovers() {
      const left = new Set([...begun, ...(looked ? [] : await foreign())]);
      for (const job of left) {
        await abort(job);
        await drop(job);
      }
      looked = true;
    },
    async upsert(part, prepared, note) {
      for (const { entries, lines } of tables(prepared, jobSize)) {
        const open = new Map(entries.map((entry) => [entry.key.toLowerCase(), entry]));
        const said = new Map<Prepared, Outcome>();
        await run(part, lines, (key, outcome) => {
          const entry = open.get(key.toLowerCase());
          if (entry) said.set(entry, outcome);
        });
        for (const entry of entries)
          note(entry, said.get(entry) ?? { outcome: 'retry', answer: 'the results of the job do not speak of it' });
      }
    },
  };
}
