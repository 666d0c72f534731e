import { messageOf } from '../base/errors.ts';
import type { Work } from '../base/work.ts';
import type { TargetConfig } from '../configure/config.ts';
import type { DeliveryItem, ItemResult } from '../connector/target.ts';
import type { Discrepancy } from '../outbox/discrepancies.ts';
import { personOf } from '../outbox/items.ts';
import type { Settlement, Store } from '../store/port.ts';
import { completeResults } from './batch.ts';
import type { Lull } from './lull.ts';
import { nextBatch, release } from './queue.ts';

/** How patiently delivery tries again; times in milliseconds. */
export interface DeliveryPatience {
  /** For a whole batch that the target could not take. */
  batch: { retries: number; firstWaitMs: number; longestWaitMs: number };
  /** For one person's items: attempts within one delivery, and the first wait, which doubles. */
  itemAttempts: number;
  itemFirstWaitMs: number;
}

/** How the delivery to one target ended. `error`: why it stopped before the queue was empty; `delayMs` as in a run's. */
export interface DeliveryEnd {
  target: string;
  sent: number;
  failed: number;
  /** A person has stopped it; what is queued waits. */
  paused: boolean;
  error: { kind: string; message: string; delayMs?: number } | null;
}

/** Batches of more items are not picked ahead: they take long at any target, and two of them take much memory. */
const mostAhead = 20_000;

/** So many results are written at once. */
const pieceOf = 500;

/**
 * Batch after batch in the order of the queue, one at a time. Whoever has to be tried again waits; everybody else goes on.
 * While the target has a batch, the answer to the one before is written down, and the next one is picked, of people who are
 * not in it. A process that dies then sends two batches again instead of one; they are states, and nobody is in both.
 */
export async function drain(
  target: TargetConfig,
  store: Store,
  work: Work,
  patience: DeliveryPatience,
  end: DeliveryEnd,
  discrepancies: ReadonlyMap<string, Discrepancy>,
  lull: Lull,
  send: (batch: DeliveryItem[]) => Promise<ItemResult[]>,
): Promise<void> {
  const { name } = target;
  const size = target.connector.batchSize(target.settings);
  const waiting = new Map<string, { until: number; attempts: number }>();
  const now = (): number => work.clock.monotonic();
  const at = (): string => work.clock.now().toISOString();
  const gaveUp = (person: string): boolean => (waiting.get(person)?.attempts ?? 0) >= patience.itemAttempts;
  const waits = (person: string): boolean => gaveUp(person) || (waiting.get(person)?.until ?? 0) > now();

  const troubled = new Set(await store.outbox.troubled(name));
  const settle = async (settlements: Settlement[]): Promise<void> => {
    await store.outbox.settle(name, settlements, at());
    const counts = { sent: 0, failed: 0, retry: 0 };
    for (const { outcome } of settlements) counts[outcome] += 1;
    work.observer?.itemsSettled(name, counts);
    end.sent += counts.sent;
    end.failed += counts.failed;
  };
  const putAway = async (settlements: Settlement[]): Promise<void> => {
    await settle(settlements);
    const held = settlements.filter(({ because }) => because === 'discrepancy').length;
    if (held)
      work.log.warn(
        { event: 'delivery.discrepancy', target: name, items: held },
        `${name}: ${held} items are held back by open discrepancies`,
      );
  };

  const pick = (least: number, busy: ReadonlySet<string>): Promise<DeliveryItem[] | null> =>
    nextBatch(
      store,
      name,
      { least, size },
      { discrepancies, troubled, waits: (person) => busy.has(person) || waits(person) },
      putAway,
    );
  let answered: { batch: DeliveryItem[]; results: Settlement[] } | null = null;
  const writeAnswer = async (turn: () => Promise<void> = async () => {}): Promise<void> => {
    if (!answered) return;
    const { batch, results } = answered;
    answered = null;
    const settlements = await givenUp(results, batch, target, store);
    for (let from = 0; from < settlements.length; from += pieceOf) {
      await turn();
      await settle(settlements.slice(from, from + pieceOf));
    }
    /** The longest wait that the target asked for, by person; whoever is not in it got through. */
    const again = new Map<string, number>();
    results.forEach((result, index) => {
      const person = personOf(batch[index]!);
      if (result.outcome === 'failed') troubled.add(person);
      if (result.outcome !== 'retry') return;
      again.set(person, Math.max(again.get(person) ?? 0, result.delayMs ?? 0));
    });
    for (const person of new Set(batch.map(personOf))) {
      const delayMs = again.get(person);
      if (delayMs === undefined) {
        waiting.delete(person);
        continue;
      }
      const attempts = (waiting.get(person)?.attempts ?? 0) + 1;
      const wait = Math.max(delayMs, patience.itemFirstWaitMs * 2 ** (attempts - 1));
      // As with whole batches: the next delivery is the better place for a long wait.
      const tooLong = wait > patience.batch.longestWaitMs;
      waiting.set(person, { until: now() + wait, attempts: tooLong ? patience.itemAttempts : attempts });
    }
    work.progress(name, `${end.sent.toLocaleString('en')} sent, ${end.failed.toLocaleString('en')} failed`);
  };
  /** Picked and marked already. */
  let ready: DeliveryItem[] | null = null;
  const prepare = async (batch: readonly DeliveryItem[], sending: Promise<unknown>): Promise<void> => {
    const turn = (): Promise<void> => lull.orEndOf(sending);
    await writeAnswer(turn);
    if (batch.length < size || size > mostAhead) return;
    await turn();
    ready = await pick(size, new Set(batch.map(personOf)));
  };
  const sendOne = async (batch: DeliveryItem[]): Promise<void> => {
    const sending = send(batch);
    const [sent, prepared] = await Promise.allSettled([sending, prepare(batch, sending)]);
    if (sent.status === 'fulfilled') answered = { batch, results: completeResults(batch, sent.value) };
    else {
      // the target took none of them: that is no attempt at any one
      const answer = messageOf(sent.reason);
      const back = batch.map(({ item }): Settlement => ({ item, outcome: 'retry', answer, attempted: false }));
      await store.outbox.settle(name, back, at());
    }
    for (const one of [prepared, sent]) if (one.status === 'rejected') throw one.reason;
  };

  let released = 0;
  try {
    while (!work.signal.aborted) {
      if (await pausedOf(store, name)) {
        end.paused = true;
        break;
      }
      if (!ready) await writeAnswer();
      const batch: DeliveryItem[] | null = ready ?? (await pick(1, new Set()));
      ready = null;
      if (batch) {
        await sendOne(batch);
        continue;
      }
      // what stood behind a failure may go now that more got through
      if (end.sent > released) {
        released = end.sent;
        if (await release(store, name, discrepancies)) continue;
      }
      const times = [...waiting].filter(([person]) => !gaveUp(person)).map(([, { until }]) => until);
      const next = Math.min(...times.filter((until) => until > now()));
      if (!Number.isFinite(next)) break;
      await work.clock.wait(next - now(), work.signal);
    }
  } finally {
    await writeAnswer();
    if (ready) await store.outbox.recover(name);
  }
  const stuck = [...waiting.keys()].filter(gaveUp).length;
  if (stuck)
    end.error = {
      kind: 'Unavailable',
      message: `${stuck} ${stuck === 1 ? 'person has' : 'people have'} items that ${name} did not take after up to ${patience.itemAttempts} attempts; they stay queued`,
    };
}

/** True when a person has stopped the target. */
export async function pausedOf(store: Store, target: string): Promise<boolean> {
  return (await store.outbox.pauses()).some((pause) => pause.target === target);
}

/**
 * An item that the target put off for the last time that the configuration grants is failed: one that is never taken
 * would be tried for ever, and nobody would look.
 */
async function givenUp(
  results: Settlement[],
  batch: readonly DeliveryItem[],
  { giveUpAfter }: TargetConfig,
  store: Store,
): Promise<Settlement[]> {
  const given: Settlement[] = [];
  for (const [at, result] of results.entries()) {
    const attempts = result.outcome === 'retry' ? ((await store.outbox.get(batch[at]!.item))?.attempts ?? 0) + 1 : 0;
    if (result.outcome !== 'retry' || attempts < giveUpAfter) given.push(result);
    else {
      const answer = `given up after ${attempts} attempts: ${result.answer}`;
      results[at] = { item: result.item, outcome: 'failed', answer };
      given.push(results[at]);
    }
  }
  return given;
}
