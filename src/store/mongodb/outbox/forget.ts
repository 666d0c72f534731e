import type { Mongo } from '../mongo.ts';

const pageSize = 1000;

/**
 * Forgets sent and superseded items of a target behind the newest sent ones; those of plans that are still being applied
 * stay, and those of people with an open matter.
 */
export async function forgetItems(m: Mongo, target: string, keep: number, except: readonly string[]): Promise<number> {
  const sent = { target, status: 'sent' as const };
  const [last] = await m.attempt(() =>
    m.outbox.find(sent).sort({ seq: -1 }).skip(keep).limit(1).project<{ seq: number }>({ seq: 1 }).toArray(),
  );
  if (!last) return 0;
  const ended = { target, status: { $in: ['sent' as const, 'superseded' as const] } };
  let forgotten = 0;
  for (let after = -1; ; ) {
    const old = { ...ended, seq: { $gt: after, $lte: last.seq }, plan: { $nin: [...except] } };
    const page = await m.attempt(() =>
      m.outbox
        .find(old)
        .sort({ seq: 1 })
        .limit(pageSize)
        .project<{ _id: string; seq: number; person: string }>({ seq: 1, person: 1 })
        .toArray(),
    );
    if (!page.length) return forgotten;
    const open = await peopleWithOpen(m, target, [...new Set(page.map(({ person }) => person))]);
    const going = page.filter(({ person }) => !open.has(person)).map(({ _id }) => _id);
    if (going.length)
      forgotten += (await m.attempt(() => m.outbox.deleteMany({ ...ended, _id: { $in: going } }))).deletedCount;
    after = page.at(-1)!.seq;
  }
}

/** Whose items failed, or are in other hands; asked by the person, for those that failed may be as many as there are people. */
async function peopleWithOpen(m: Mongo, target: string, people: readonly string[]): Promise<ReadonlySet<string>> {
  const open = { person: { $in: [...people] }, target, status: { $in: ['failed' as const, 'processing' as const] } };
  const docs = await m.attempt(() => m.outbox.find(open).project<{ person: string }>({ _id: 0, person: 1 }).toArray());
  return new Set(docs.map(({ person }) => person));
}
