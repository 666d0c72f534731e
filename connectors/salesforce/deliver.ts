import { delayOf, messageOf, RosterdError, Unavailable } from '../../src/base/errors.ts';
import {
  type CourseName,
  courseKey,
  type DeliveryItem,
  type ItemResult,
  type PreviewedRequest,
  Shut,
  type TargetContext,
  type TargetSession,
} from '../../src/connector/target.ts';
import { jobCalls, openJobs } from './bulk.ts';
import { type Call, openClient, previewOf } from './client.ts';
import { chainCalls, openChain } from './courses.ts';
import type { Part } from './parts.ts';
import { byParent, isAccountItem, isEnrolmentItem, type Prepared, prepare, rounds } from './records.ts';
import type { SalesforceSettings } from './schema.ts';
import { misread, tables } from './table.ts';
import { type Outcome, outcomeOf, upsertAll, upsertCall } from './upsert.ts';

/**
 * Delivers batches: courses first, where they are written, then people, then enrolments; each kind by collections upserts,
 * or by jobs where a batch holds many.
 */
export function openSession(settings: SalesforceSettings, context: TargetContext): TargetSession {
  const client = openClient(settings, context);
  const jobs = settings.bulk ? openJobs(settings, client, context) : null;
  const chain = settings.courses ? openChain(settings, context.institution, client) : null;

  async function write(
    part: Part,
    prepared: readonly Prepared[],
    note: (entry: Prepared, outcome: Outcome) => void,
  ): Promise<void> {
    const { bulked, rest } = ways(settings, prepared);
    const again: Prepared[] = [];
    if (bulked.length)
      await jobs!.upsert(part, bulked, (entry, outcome) => {
        // A job knows no duplicate rule header; a request does.
        const blocked = outcome.outcome === 'failed' && outcome.answer.startsWith('DUPLICATES_DETECTED:');
        if (blocked && settings.duplicates === 'allow') again.push(entry);
        else note(entry, outcome);
      });
    await upsertAll(settings, client, part, [...rest, ...again], (entry, result) => note(entry, outcomeOf(result)));
  }

  async function deliverParts(items: readonly DeliveryItem[], results: Map<string, ItemResult>): Promise<void> {
    const settle = (item: DeliveryItem, { outcome, answer }: Outcome): void =>
      void results.set(item.item, { item: item.item, outcome, answer });
    const courses = (await chain?.ensure(coursesOf(items))) ?? new Map<string, Outcome>();
    for (const item of items) if (item.type === 'course.create') settle(item, courses.get(courseKey(item.course!))!);

    const waiting = new Set<string>();
    const people = items.filter(isAccountItem).map((item) => prepare(settings, item));
    await write(settings.contact, people, ({ about }, outcome) => {
      settle(about, outcome);
      if (outcome.outcome === 'retry') waiting.add(about.account!.account);
    });

    const enrolments: Prepared[] = [];
    for (const item of items.filter(isEnrolmentItem)) {
      const { account } = item.account!;
      const course = item.type === 'enrolment.add' ? courses.get(courseKey(item.course!)) : undefined;
      // Without its parents the org would refuse the enrolment for good, for want of what is only late.
      if (waiting.has(account)) settle(item, { outcome: 'retry', answer: `not sent: waits for person ${account}` });
      else if (course && course.outcome !== 'sent')
        settle(item, { outcome: course.outcome, answer: `not sent: its course: ${course.answer}` });
      else enrolments.push(prepare(settings, item));
    }
    await write(settings.enrolment, enrolments, ({ about }, outcome) => settle(about, outcome));
  }

  return {
    async deliver(batch) {
      client.mayBegin();
      const items = [...batch];
      await jobs?.endLeftovers();
      const results = new Map<string, ItemResult>();
      const inOrder = (): ItemResult[] => items.map(({ item }) => results.get(item)!);
      try {
        await deliverParts(items, results);
      } catch (error) {
        // What is done is done: to do it once more would cost as much of the day's requests as it did.
        if (results.size === 0 || !(error instanceof RosterdError)) throw error;
        const isShut = !(error instanceof Unavailable);
        for (const { item } of items)
          if (!results.has(item))
            results.set(item, {
              ...{ item, outcome: 'retry', answer: messageOf(error), ...delayOf(error) },
              ...(isShut ? { attempted: false } : {}),
            });
        if (isShut) throw new Shut(inOrder(), error);
      }
      return inOrder();
    },
    async close() {},
  };
}

/** Which records go by job, and which by request. A job holds no key twice, because its results have no row numbers. */
function ways(
  { bulk }: SalesforceSettings,
  prepared: readonly Prepared[],
): { bulked: readonly Prepared[]; rest: readonly Prepared[] } {
  if (!bulk || prepared.length < bulk.from) return { bulked: [], rest: prepared };
  const seen = new Set<string>();
  const bulked: Prepared[] = [];
  const rest: Prepared[] = [];
  for (const entry of prepared) {
    const key = entry.key.toLowerCase();
    (seen.has(key) || misread(entry) ? rest : bulked).push(entry);
    seen.add(key);
  }
  return { bulked: byParent(bulked), rest };
}

/** The courses that must be there before the items are sent. */
function coursesOf(items: readonly DeliveryItem[]): CourseName[] {
  const names = items.flatMap(({ type, course }) =>
    course && (type === 'course.create' || type === 'enrolment.add') ? [course] : [],
  );
  return [...new Map(names.map((name) => [courseKey(name), name])).values()];
}

/** The requests that a batch would be sent with, to an org that has none of the courses; looks and results are not shown. */
export function previewBatch(
  settings: SalesforceSettings,
  institution: string,
  items: readonly DeliveryItem[],
): PreviewedRequest[] {
  const shown = (call: Call, entries: readonly Prepared[] = []): PreviewedRequest =>
    previewOf(
      settings,
      call,
      entries.map(({ about }) => about.item),
    );
  const written = (part: Part, of: readonly DeliveryItem[]): PreviewedRequest[] => {
    const { bulked, rest } = ways(
      settings,
      of.map((item) => prepare(settings, item)),
    );
    const byJob = [...tables(bulked, settings.bulk?.jobSize ?? 0)].flatMap(({ entries, lines }) => [
      shown(jobCalls.create(part)),
      shown(jobCalls.upload('{job}', lines.join('')), entries),
      shown(jobCalls.turn('{job}', 'UploadComplete')),
    ]);
    const requests = rounds(rest, settings.batch).flat();
    return [...byJob, ...requests.map((request) => shown(upsertCall(settings, part, request), request))];
  };
  const chain = settings.courses ? chainCalls(settings, institution, coursesOf(items)) : [];
  const created = items.filter(({ type }) => type === 'course.create').map(({ item }) => item);
  return [
    ...chain.map((call, at) => previewOf(settings, call, at === chain.length - 1 ? created : [])),
    ...written(settings.contact, items.filter(isAccountItem)),
    ...written(settings.enrolment, items.filter(isEnrolmentItem)),
  ];
}
