import { messageOf } from '../base/errors.ts';
import type { Work } from '../base/work.ts';
import type { TargetConfig } from '../configure/config.ts';
import { type DeliveryBatch, type ItemResult, Shut } from '../connector/target.ts';
import type { HoldingBack } from '../outbox/discrepancies.ts';
import type { Settlement, Store } from '../store/port.ts';
import { type Batch, completeResults, type Head } from './batch.ts';
import type { Lull } from './lull.ts';
import { mostHeld, nextBatch, release } from './queue.ts';
import { type DeliveryPatience, type Left, Waiting } from './waiting.ts';

/**
 * How the delivery to one target ended. `error`: why it stopped before the queue was empty; `delayMs` as in a run's. Of kind
 * `Waiting`: the target takes what others have, so that it is nothing to leave the target alone for; `delayMs`: when somebody
 * who waits should be tried again.
 */
export interface DeliveryEnd {
  target: string;
  sent: number;
  failed: number;
  /** A person has stopped it; what is queued waits. */
  paused: boolean;
  error: { kind: string; message: string; delayMs?: number } | null;
}

/** How batches go to a target. */
export interface Way {
  /** `unanswered`: called for each attempt that had no answer, before there was one. */
  send(batch: DeliveryBatch, unanswered: (why: string) => void): Promise<ItemResult[]>;
  lull: Lull;
  /** Where a large batch is kept. */
  file: string;
}

/** What a target said to a batch, until it is written down. `unanswered`: why an attempt before had no answer. */
interface Answered {
  heads: readonly Head[];
  results: Settlement[];
  unanswered: string | null;
}

/** It may have been taken, and nobody knows. */
const tried = (item: string, answer: string): Settlement => ({ item, outcome: 'retry', answer, attempted: false });

/** So many results are written at once. */
const pieceOf = 500;
/** More items than other systems have in hand. */
const mostElsewhere = 100_000;

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
  discrepancies: HoldingBack,
  { lull, file, send }: Way,
): Promise<void> {
  const { name } = target;
  const size = target.connector.batchSize(target.settings);
  const accepts = target.connector.accepts(target.settings);
  const waiting = new Waiting(patience, work.clock);
  const at = (): string => work.clock.now().toISOString();

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

  const pick = async (least: number, busy: ReadonlySet<string>): Promise<Batch | null> => {
    // another system may have taken something in hand since; what comes after it must not overtake it
    const taken = await store.outbox.list({
      target: name,
      status: 'processing',
      withReason: true,
      limit: mostElsewhere,
    });
    for (const { person } of taken) troubled.add(person);
    await discrepancies.look();
    return nextBatch(
      store,
      name,
      { least, size, file },
      {
        ...{ accepts, discrepancies: discrepancies.now, troubled },
        waits: (person) => busy.has(person) || waiting.has(person),
      },
      putAway,
    );
  };
  let answered: Answered | null = null;
  const writeAnswer = async (turn: () => Promise<void> = async () => {}): Promise<void> => {
    if (!answered) return;
    const { heads, results, unanswered } = answered;
    answered = null;
    giveUp(heads, results, target.giveUpAfter);
    // the trail has to say that what was refused now may have been taken before: see `sendAgain`
    if (unanswered !== null) {
      const refused = results.filter(({ outcome }) => outcome === 'failed').map(({ item }) => tried(item, unanswered));
      for (let from = 0; from < refused.length; from += pieceOf)
        await store.outbox.settle(name, refused.slice(from, from + pieceOf), at());
    }
    for (let from = 0; from < results.length; from += pieceOf) {
      await turn();
      await settle(results.slice(from, from + pieceOf));
    }
    heads.forEach(({ person }, at) => {
      if (results[at]!.outcome === 'failed') troubled.add(person);
    });
    waiting.note(heads, results);
    work.progress(name, `${end.sent.toLocaleString('en')} sent, ${end.failed.toLocaleString('en')} failed`);
  };
  /** Picked and marked already. */
  let ready: Batch | null = null;
  const prepare = async ({ heads }: Batch, sending: Promise<unknown>): Promise<void> => {
    const turn = (): Promise<void> => lull.orEndOf(sending);
    await writeAnswer(turn);
    // large ones take long at any target, and two of them take much memory
    if (heads.length < size || size > mostHeld) return;
    await turn();
    ready = await pick(size, new Set(heads.map(({ person }) => person)));
  };
  const sendOne = async (batch: Batch): Promise<void> => {
    const { items, heads } = batch;
    let unanswered: string | null = null;
    const sending = send(items, (why) => {
      unanswered = why;
    });
    const [sent, prepared] = await Promise.allSettled([sending, prepare(batch, sending)]);
    const done = (results: readonly ItemResult[]): Answered => ({
      ...{ heads, results: completeResults(heads, results), unanswered },
    });
    if (sent.status === 'fulfilled') answered = done(sent.value);
    else if (sent.reason instanceof Shut) answered = done(sent.reason.results);
    else {
      // the target took none of them: that is no attempt at any one
      const answer = messageOf(sent.reason);
      const back = heads.map(({ item }) => tried(item, answer));
      await store.outbox.settle(name, back, at());
    }
    for (const one of [prepared, sent])
      if (one.status === 'rejected') throw one.reason instanceof Shut ? one.reason.cause : one.reason;
  };

  let released = 0;
  try {
    while (!work.signal.aborted) {
      if (await pausedOf(store, name)) {
        end.paused = true;
        break;
      }
      // picked while the one before was on its way: somebody in it may be in doubt since, or take what was not given up
      if (ready && (putsOffGiving(answered) || (await discrepancies.look()))) {
        await writeAnswer();
        await store.outbox.recover(name);
        ready = null;
      }
      if (!ready) await writeAnswer();
      const batch: Batch | null = ready ?? (await pick(1, new Set()));
      ready = null;
      if (batch) {
        await sendOne(batch);
        continue;
      }
      // what stood behind a failure may go now that more got through
      if (end.sent > released) {
        released = end.sent;
        if (await release(store, name, { accepts, discrepancies: discrepancies.now })) continue;
      }
      const next = waiting.next();
      if (next === null) break;
      await work.clock.wait(next, work.signal);
    }
  } finally {
    await writeAnswer();
    if (ready) await store.outbox.recover(name);
  }
  // Asked to stop, or somebody took over: what is queued still must not pass for delivered.
  if (!end.paused && work.signal.aborted && (await store.outbox.queued(name, 0, 1)).length) throw work.signal.reason;
  const { left, answered: isThere } = waiting;
  if (!left) return;
  const delay = isThere ? { delayMs: Math.ceil(left.firstMs) } : left.toldMs && { delayMs: Math.ceil(left.toldMs) };
  end.error = { kind: isThere ? 'Waiting' : 'Unavailable', message: leftText(left), ...delay };
}

function leftText({ putOff, taken }: Left): string {
  const changesOf = (count: number): string =>
    `changes of ${count.toLocaleString('en')} ${count === 1 ? 'person' : 'people'} were`;
  const texts = [
    ...(putOff ? [`${changesOf(putOff)} put off`] : []),
    ...(taken ? [`${changesOf(taken)} transmitted and do not show yet`] : []),
  ];
  return `${texts.join(', ')}; they stay queued`;
}

/** True when somebody was put off who gives up an address or an id. */
function putsOffGiving(answered: Answered | null): boolean {
  if (!answered) return false;
  return answered.heads.some(({ gives }, at) => gives && answered.results[at]!.outcome === 'retry');
}

/** True when a person has stopped the target. */
export async function pausedOf(store: Store, target: string): Promise<boolean> {
  return (await store.outbox.pauses()).some((pause) => pause.target === target);
}

/**
 * An item that the target put off for the last time that the configuration grants is failed: one that is never taken
 * would be tried for ever, and nobody would look.
 */
function giveUp(heads: readonly Head[], results: Settlement[], giveUpAfter: number): void {
  for (const [at, { item, outcome, answer, attempted }] of results.entries()) {
    const attempts = heads[at]!.attempts + 1;
    if (outcome === 'retry' && attempted !== false && attempts >= giveUpAfter)
      results[at] = { item, outcome: 'failed', answer: `given up after ${attempts} attempts: ${answer}` };
  }
}
