import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { type Field, fieldNamed, objectNamed, relationNamed, type SObject } from './objects.ts';
import type { Given, Org } from './org.ts';
import { stubUser } from './sessions.ts';

/**
 * Bulk API 2.0 ingest jobs of the stub. They go on by one step each time somebody looks, and also when nobody does: with
 * every fifth request of any kind.
 */

/** Body of `POST /_stub/bulk`: how jobs behave from now on. */
export const bulkBody = z.strictObject({
  /** Looks at a job until it is over. */
  polls: z.int().min(1).default(3),
  /** Jobs end as Failed after so many rows. */
  fail: z
    .strictObject({ after: z.int().min(0), message: z.string() })
    .nullable()
    .default(null),
  /** Jobs do half of their work and then stay InProgress. */
  stuck: z.boolean().default(false),
  /** Jobs in one page of the list. */
  page: z.int().min(1).default(1000),
});

const creation = z.strictObject({
  object: z.string(),
  operation: z.literal('upsert', { error: 'the stub has no operation but upsert' }),
  externalIdFieldName: z.string(),
  contentType: z.literal('CSV').default('CSV'),
  lineEnding: z.enum(['LF', 'CRLF']).default('LF'),
  columnDelimiter: z.literal('COMMA', { error: 'the stub has no delimiter but COMMA' }).default('COMMA'),
  concurrencyMode: z.string().optional(),
});

type State = 'Open' | 'UploadComplete' | 'InProgress' | 'JobComplete' | 'Failed' | 'Aborted';
type Cells = Record<string, string>;

/** Codes and messages of refusals, as `[{ errorCode, message }]` has them. */
export class JobRefusal extends Error {
  readonly status: number;
  readonly errorCode: string;
  constructor(status: number, errorCode: string, message: string) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
  }
}

/** A job and how far it is. */
export interface Job {
  id: string;
  object: SObject;
  key: Field;
  state: State;
  version: string;
  lineEnding: string;
  header: string[];
  rows: Cells[] | null;
  next: number;
  looks: number;
  /** Requests since the last look. */
  alone: number;
  done: { row: Cells; id: string; created: boolean; error: string | null }[];
  errorMessage: string | null;
}

const most = 100 * 1024 * 1024 * 1.5;

/** All jobs of the org. */
export class Jobs {
  behaviour = bulkBody.parse({});
  readonly #jobs = new Map<string, Job>();
  readonly #org: Org;
  #made = 0;

  constructor(org: Org) {
    this.#org = org;
  }

  all(): Job[] {
    return [...this.#jobs.values()];
  }

  create(body: unknown, version: string): Job {
    const read = creation.safeParse(body);
    if (!read.success) throw new JobRefusal(400, 'JSON_PARSER_ERROR', z.prettifyError(read.error));
    const object = objectNamed(read.data.object);
    if (!object) throw new JobRefusal(400, 'INVALIDENTITY', `The object ${read.data.object} is not known`);
    const key = fieldNamed(object, read.data.externalIdFieldName);
    if (!key?.externalId)
      throw new JobRefusal(400, 'INVALID_FIELD', `${read.data.externalIdFieldName} is no external id`);
    this.#made += 1;
    const id = `750${String(this.#made).padStart(12, '0')}AAA`;
    const job: Job = {
      ...{ id, object, key, version, state: 'Open', lineEnding: read.data.lineEnding },
      ...{ header: [], rows: null, next: 0, looks: 0, alone: 0, done: [], errorMessage: null },
    };
    this.#jobs.set(id, job);
    return job;
  }

  get(id: string): Job {
    const job = this.#jobs.get(id);
    if (!job) throw new JobRefusal(404, 'NOT_FOUND', 'The requested resource does not exist');
    return job;
  }

  upload(id: string, text: string): void {
    const job = this.get(id);
    if (job.state !== 'Open' || job.rows)
      throw new JobRefusal(400, 'INVALIDJOBSTATE', `Found multiple contents for job: <${id}>, or it is not open`);
    if (Buffer.byteLength(text) > most) throw new JobRefusal(400, 'TOO_LARGE', 'more than 150 MB in a job');
    job.rows = parse(text, {
      columns: (header: string[]) => {
        job.header = header;
        return header;
      },
    }) as Cells[];
    if (job.lineEnding === 'LF' && /\r\n/.test(text.slice(0, text.indexOf('\n') + 1)))
      job.errorMessage = 'ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF';
  }

  turn(id: string, state: string): Job {
    const job = this.get(id);
    const from = { UploadComplete: ['Open'], Aborted: ['Open', 'UploadComplete', 'InProgress'] }[state];
    if (!from?.includes(job.state) || (state === 'UploadComplete' && !job.rows))
      throw new JobRefusal(400, 'INVALIDJOBSTATE', `Job in state ${job.state} cannot become ${state}`);
    job.state = state as State;
    return job;
  }

  /** A request came, for whatever: jobs that nobody looks at go on as well. */
  pass(): void {
    for (const job of this.#jobs.values()) {
      job.alone += 1;
      if (job.alone >= 5) this.look(job.id);
    }
  }

  /** A look at a job lets it go on. */
  look(id: string): Job {
    const job = this.get(id);
    job.alone = 0;
    if (job.state !== 'UploadComplete' && job.state !== 'InProgress') return job;
    job.looks += 1;
    const { polls, fail, stuck } = this.behaviour;
    const rows = job.rows!;
    const unknown = job.header.find((name) => !this.#known(job.object, name));
    if (unknown) job.errorMessage = `InvalidBatch : Field name not found : ${unknown}`;
    if (job.errorMessage) {
      job.state = 'Failed';
      return job;
    }
    if (job.looks === 1 && polls > 1) return job;
    job.state = 'InProgress';
    if (job.looks < polls || stuck) this.#process(job, Math.floor(rows.length / 2));
    else if (fail) {
      this.#process(job, Math.min(rows.length, fail.after));
      job.state = 'Failed';
      job.errorMessage = fail.message;
    } else {
      this.#process(job, rows.length);
      job.state = 'JobComplete';
    }
    return job;
  }

  drop(id: string): void {
    const { state } = this.get(id);
    if (state === 'UploadComplete' || state === 'InProgress')
      throw new JobRefusal(400, 'INVALIDJOBSTATE', `Job in state ${state} cannot be deleted`);
    this.#jobs.delete(id);
  }

  #known(object: SObject, name: string): boolean {
    const [relation, field] = name.split('.') as [string, string | undefined];
    // clients bring a column for the id along, and leave it empty
    if (field === undefined) return name === 'Id' || fieldNamed(object, name) !== undefined;
    const to = relationNamed(object, relation);
    return to !== undefined && fieldNamed(objectNamed(to.referenceTo!)!, field)?.externalId === true;
  }

  /** Does rows up to a number, 200 at a time. */
  #process(job: Job, until: number): void {
    const { object, key, done } = job;
    const rows = job.rows!;
    const column = job.header.find((name) => name.toLowerCase() === key.name.toLowerCase()) ?? '';
    const times = new Map<string, number>();
    for (const row of rows) {
      const value = (row[column] ?? '').toLowerCase();
      times.set(value, (times.get(value) ?? 0) + 1);
    }
    for (; job.next < until; job.next += 1) {
      const row = rows[job.next]!;
      const value = row[column] ?? '';
      const given = givenOf(object, row);
      if (times.get(value.toLowerCase())! > 1) {
        done.push({
          row,
          id: '',
          created: false,
          error: `DUPLICATE_VALUE:Duplicate external id specified: ${value}:--`,
        });
        continue;
      }
      if (typeof given === 'string') {
        done.push({ row, id: '', created: false, error: given });
        continue;
      }
      const [outcome] = this.#org.upsert(object, key, [given]);
      const [first] = outcome!.errors;
      const error = first && `${first.statusCode}:${first.message}:${first.fields.join(',')} --`;
      done.push({ row, id: outcome!.id ?? '', created: outcome!.created ?? false, error: error ?? null });
    }
  }
}

/** A row as a record: an empty cell is no field, `#N/A` is null. A number that is none is told in the words of `sf__Error`. */
function givenOf(object: SObject, row: Cells): Given | string {
  const given: Given = {};
  for (const [name, cell] of Object.entries(row)) {
    if (cell === '') continue;
    const value = cell === '#N/A' ? null : cell;
    const [relation, field] = name.split('.') as [string, string | undefined];
    if (field !== undefined) given[relation] = { [field]: value };
    else if (fieldNamed(object, name)?.type === 'double' && value !== null) {
      if (Number.isNaN(Number(value)))
        return `INVALID_TYPE_ON_FIELD_IN_RECORD:${name}: value not of required type: ${value}:${name} --`;
      given[name] = Number(value);
    } else given[name] = value;
  }
  return given;
}

/** What creation, changes and looks answer. */
export function jobView(job: Job, looked = false): object {
  const { id, object, key, state, version, lineEnding, done } = job;
  const failed = done.filter(({ error }) => error !== null).length;
  return {
    ...{ id, operation: 'upsert', object: object.name, createdById: stubUser, state },
    ...{ createdDate: '2026-01-15T02:15:00.000+0000', systemModstamp: '2026-01-15T02:15:00.000+0000' },
    ...{ externalIdFieldName: key.name, concurrencyMode: 'Parallel', contentType: 'CSV' },
    ...{ apiVersion: Number(version.slice(1)), lineEnding, columnDelimiter: 'COMMA' },
    contentUrl: `services/data/${version}/jobs/ingest/${id}/batches`,
    ...(looked && {
      ...{ jobType: 'V2Ingest', numberRecordsProcessed: done.length, numberRecordsFailed: failed, retries: 0 },
      ...{ totalProcessingTime: 1, apiActiveProcessingTime: 1, apexProcessingTime: 0 },
      ...(job.errorMessage && { errorMessage: job.errorMessage }),
    }),
  };
}

/** A set of results as CSV, in no order of anybody's. Names of sets have no case. */
export function resultsOf(job: Job, set: string): string {
  if (!['JobComplete', 'Failed', 'Aborted'].includes(job.state))
    throw new JobRefusal(400, 'INVALIDJOBSTATE', `Job in state ${job.state} has no results yet`);
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')}\n`;
  const own = (row: Cells): string[] => job.header.map((name) => row[name]!);
  const good = job.done.filter(({ error }) => error === null);
  const bad = job.done.filter(({ error }) => error !== null);
  switch (set.toLowerCase()) {
    case 'successfulresults':
      return (
        line(['sf__Id', 'sf__Created', ...job.header]) +
        shuffled(good.map(({ row, id, created }) => line([id, String(created), ...own(row)]))).join('')
      );
    case 'failedresults':
      // other way round than above, as recorded answers and the manual differ
      return (
        line([...job.header, 'sf__Error', 'sf__Id']) +
        shuffled(bad.map(({ row, id, error }) => line([...own(row), error!, id]))).join('')
      );
    case 'unprocessedrecords':
      return line(job.header) + shuffled((job.rows ?? []).slice(job.next).map((row) => line(own(row)))).join('');
    default:
      throw new JobRefusal(404, 'NOT_FOUND', 'The requested resource does not exist');
  }
}

/** Always the same disorder, so that tests repeat. */
function shuffled<T>(list: T[]): T[] {
  let seed = 7;
  for (let at = list.length - 1; at > 0; at -= 1) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    const other = seed % (at + 1);
    [list[at], list[other]] = [list[other]!, list[at]!];
  }
  return list;
}
