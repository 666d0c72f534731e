import { Unavailable } from '../../src/base/errors.ts';
import type { DeliveryItem, ItemResult, PreviewedRequest } from '../../src/connector/target.ts';
import type { Client } from './client.ts';
import { isAccountItem, type Prepared, prepare, requests } from './records.ts';
import { type SalesforceSettings, type UpsertResult, upsertResults } from './schema.ts';

/**
 * Delivers a batch: people first, then enrolments, each as collections upserts without `allOrNone`
 * (`PATCH /composite/sobjects/{object}/{externalId}`), so that one bad record leaves the others alone.
 */
export async function deliver(
  settings: SalesforceSettings,
  client: Client,
  items: readonly DeliveryItem[],
): Promise<ItemResult[]> {
  const results = new Map<string, ItemResult>();
  const waiting = new Set<string>();
  const people = items.filter(isAccountItem).map((item) => prepare(settings, item));
  for (const [entry, result] of await upsert(settings, client, settings.contact, people)) {
    results.set(entry.item.item, result);
    if (result.outcome === 'retry') waiting.add(entry.item.account!.account);
  }

  const enrolments: Prepared[] = [];
  for (const item of items.filter((candidate) => !isAccountItem(candidate))) {
    const account = item.account?.account ?? '';
    // Without its person the org would refuse the enrolment for good, for want of a parent that is only late.
    if (waiting.has(account))
      results.set(item.item, { item: item.item, outcome: 'retry', answer: `not sent: waits for person ${account}` });
    else enrolments.push(prepare(settings, item));
  }
  for (const [entry, result] of await upsert(settings, client, settings.enrolment, enrolments))
    results.set(entry.item.item, result);
  return items.map((item) => results.get(item.item)!);
}

async function upsert(
  settings: SalesforceSettings,
  client: Client,
  { object, externalId }: { object: string; externalId: string },
  prepared: readonly Prepared[],
): Promise<[Prepared, ItemResult][]> {
  const outcome: [Prepared, ItemResult][] = [];
  for (const request of requests(prepared, settings.batch)) {
    const { resource, body } = upsertOf(object, externalId, request);
    const { json } = await client.call('PATCH', resource, body);
    const answer = upsertResults.safeParse(json);
    if (!answer.success || answer.data.length !== request.length)
      throw new Unavailable(
        `Salesforce answered ${answer.success ? `${answer.data.length} results` : 'something else than results'} ` +
          `to ${request.length} records: which record has which is not known`,
      );
    for (const [index, entry] of request.entries())
      outcome.push([entry, resultOf(entry.item.item, answer.data[index]!)]);
  }
  return outcome;
}

/** A collections upsert of these records, below the address of the API. */
function upsertOf(object: string, externalId: string, prepared: readonly Prepared[]) {
  return {
    resource: `composite/sobjects/${object}/${externalId}`,
    body: { allOrNone: false, records: prepared.map(({ record }) => record) },
  };
}

/** The requests that a batch would be sent with: people first, then enrolments. */
export function previewUpserts(settings: SalesforceSettings, items: readonly DeliveryItem[]): PreviewedRequest[] {
  const parts = [
    [settings.contact, items.filter(isAccountItem)],
    [settings.enrolment, items.filter((item) => !isAccountItem(item))],
  ] as const;
  return parts.flatMap(([{ object, externalId }, its]) =>
    requests(
      its.map((item) => prepare(settings, item)),
      settings.batch,
    ).map((request): PreviewedRequest => {
      const { resource, body } = upsertOf(object, externalId, request);
      return {
        ...{ method: 'PATCH', url: new URL(`/services/data/${settings.apiVersion}/${resource}`, settings.url).href },
        headers: { authorization: 'Bearer {secret}', accept: 'application/json', 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(body)),
        items: request.map(({ item }) => item.item),
      };
    }),
  );
}

/** The result of one record. Only a locked row passes by itself; everything else needs a person. */
export function resultOf(item: string, result: UpsertResult): ItemResult {
  if (result.success)
    return { item, outcome: 'sent', answer: `${result.created ? 'created' : 'updated'} ${result.id ?? ''}`.trim() };
  const answer =
    result.errors.map(({ statusCode, message }) => `${statusCode}: ${message}`).join('; ') ||
    'refused without a reason';
  const locked = result.errors.length > 0 && result.errors.every((error) => error.statusCode === 'UNABLE_TO_LOCK_ROW');
  return { item, outcome: locked ? 'retry' : 'failed', answer };
}
