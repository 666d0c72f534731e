import pLimit from 'p-limit';
import { Unavailable } from '../../src/base/errors.ts';
import type { ItemResult } from '../../src/connector/target.ts';
import { isLocked } from './answer.ts';
import type { Call, Client } from './client.ts';
import type { Part } from './parts.ts';
import { type Prepared, recordOf, rounds } from './records.ts';
import type { SalesforceSettings } from './schema.ts';
import { type UpsertResult, upsertResults } from './wire.ts';

/** A collections upsert of these records, without `allOrNone`, so that one bad record leaves the others alone. */
export function upsertCall<T>({ duplicates }: SalesforceSettings, part: Part, prepared: readonly Prepared<T>[]): Call {
  return {
    method: 'PATCH',
    resource: `composite/sobjects/${part.object}/${part.externalId}`,
    body: { json: { allOrNone: false, records: prepared.map(({ fields }) => recordOf(part.object, fields)) } },
    ...(duplicates === 'allow' && { headers: { 'sforce-duplicate-rule-header': 'allowSave=true' } }),
  };
}

/**
 * Upserts records, `concurrency` requests side by side, and gives each result to `note` as soon as it is known. After a
 * request that failed none is begun, and those on their way are waited for: nobody may still be writing when it throws.
 */
export async function upsertAll<T>(
  settings: SalesforceSettings,
  client: Client,
  part: Part,
  prepared: readonly Prepared<T>[],
  note: (entry: Prepared<T>, result: UpsertResult) => void,
): Promise<void> {
  const limit = pLimit(settings.concurrency);
  const broken: unknown[] = [];
  const one = async (request: Prepared<T>[]): Promise<void> => {
    if (broken.length) return;
    try {
      client.mayBegin();
      const { json } = await client.call(upsertCall(settings, part, request));
      const answer = upsertResults.safeParse(json);
      if (!answer.success || answer.data.length !== request.length)
        throw new Unavailable(
          `Salesforce answered ${answer.success ? `${answer.data.length} results` : 'something else than results'} ` +
            `to ${request.length} records: which record has which is not known`,
        );
      for (const [index, entry] of request.entries()) note(entry, answer.data[index]!);
    } catch (error) {
      broken.push(error);
    }
  };
  for (const round of rounds(prepared, settings.batch)) {
    await Promise.all(round.map((request) => limit(one, request)));
    if (broken.length) throw broken[0];
  }
}

/** What became of a record. */
export interface Outcome {
  outcome: ItemResult['outcome'];
  answer: string;
}

/** The outcome of one record. Only a locked row passes by itself; everything else needs a person. */
export function outcomeOf(result: UpsertResult): Outcome {
  if (result.success)
    return { outcome: 'sent', answer: `${result.created ? 'created' : 'updated'} ${result.id ?? ''}`.trim() };
  const words = result.errors.map(({ statusCode, message }) => `${statusCode}: ${message}`);
  if (words.length === 0) return { outcome: 'failed', answer: 'refused without a reason' };
  return { outcome: words.every(isLocked) ? 'retry' : 'failed', answer: words.join('; ') };
}

/** True for a record that was refused for this reason alone. */
export function only(result: UpsertResult, code: string): boolean {
  return !result.success && result.errors.length > 0 && result.errors.every(({ statusCode }) => statusCode === code);
}
