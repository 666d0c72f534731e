import type { Plan, PlanPart } from '../../port.ts';
import type { BatchMark, BatchPlace, RosterDoc, Standing } from '../documents.ts';
import { fenced, type Mongo, superseded } from '../mongo.ts';
import { accountDocs } from './accounts.ts';
import { count, sum } from './effects.ts';

/**
 * The counts beside the accounts, without a transaction over both: what they will be after a batch is written down
 * before its first effect, and taken over after its last one. A repeat finds the mark and does not count again; were the
 * difference counted from what stands, a batch of which half was written would be counted by half.
 */

/** Places in the order of the outbox for each change: one for every target that there may be. */
const places = 64;

/** Marks a batch as begun, or finds that it is. `null`: it has been counted already, only its place is missing. */
export async function beginBatch(
  m: Mongo,
  fence: number,
  doc: RosterDoc,
  at: BatchPlace,
  added: readonly Standing[],
  changes: number,
): Promise<{ mark: BatchMark; counted: boolean }> {
  if (doc.fence > fence) throw superseded('the roster');
  const { standing = [], nextSeq = 1, batch, last } = doc;
  if (batch && samePlace(batch, at)) return { mark: batch, counted: false };
  if (last && samePlace(last, at)) return { mark: { ...at, standing, seqFrom: nextSeq }, counted: true };
  // A batch that was begun and left for another one: what it wrote is in the accounts, and only they know.
  const base = batch ? await recount(m) : standing;
  const mark: BatchMark = { ...at, standing: sum(base, added), seqFrom: batch ? batch.seqFrom + reserve : nextSeq };
  await write(m, fence, { batch: mark, nextSeq: mark.seqFrom + changes * places });
  return { mark, counted: false };
}

/** Takes places in the order of the outbox that no batch asked for, and gives the first of them. */
export async function placesFrom(m: Mongo, fence: number, count: number): Promise<number> {
  const doc = await m.attempt(() => m.roster.findOne({ _id: 'roster' }));
  const first = doc?.nextSeq ?? 1;
  await write(m, fence, { nextSeq: first + count });
  return first;
}

/** What is counted beside the accounts, as it stands before a batch. */
export async function rosterDoc(m: Mongo): Promise<RosterDoc> {
  return (await m.attempt(() => m.roster.findOne({ _id: 'roster' }))) ?? { _id: 'roster', fence: 0 };
}

/** More places than a batch can have asked for. */
const reserve = 1_000_000;

/** Takes over the counts of a batch whose effects are all written. */
export async function endBatch(m: Mongo, fence: number, mark: BatchMark): Promise<void> {
  const { plan, part, rank, key, standing } = mark;
  await write(m, fence, { standing, batch: null, last: { plan, part, rank, key } });
}

/** The place in the order of the outbox of a change for a target, by their positions. */
export function seqOf(mark: BatchMark, change: number, target: number): number {
  return mark.seqFrom + change * places + target;
}

/** Where a batch stands in its plan. */
export function placeOf(plan: Plan, part: PlanPart, last: { rank: number; key: string }): BatchPlace {
  return { plan: plan.plan, part, rank: last.rank, key: last.key };
}

function samePlace(a: BatchPlace, b: BatchPlace): boolean {
  return a.plan === b.plan && a.part === b.part && a.rank === b.rank && a.key === b.key;
}

async function recount(m: Mongo): Promise<Standing[]> {
  const counts = new Map<string, Standing>();
  for await (const doc of accountDocs(m)) count(counts, doc, 1);
  return [...counts.values()];
}

async function write(m: Mongo, fence: number, set: Partial<RosterDoc>): Promise<void> {
  await m.attempt(() =>
    fenced('the roster', () =>
      m.roster.updateOne({ _id: 'roster', fence: { $lte: fence } }, { $set: { ...set, fence } }, { upsert: true }),
    ),
  );
}
