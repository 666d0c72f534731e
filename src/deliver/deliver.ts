import { join } from 'node:path';
import pThrottle from 'p-throttle';
import { delayOf, failureOf, mayPass, messageOf, Unavailable } from '../base/errors.ts';
import { withRetry } from '../base/retry.ts';
import { openSpoolDir } from '../base/spool-dir.ts';
import type { Work } from '../base/work.ts';
import type { Config, TargetConfig } from '../configure/config.ts';
import { type Http, type HttpRequest, openHttp } from '../connector/http.ts';
import {
  type DeliveryBatch,
  type ItemResult,
  type RosterView,
  Shut,
  type TargetContext,
  type TargetSession,
} from '../connector/target.ts';
import { HoldingBack } from '../outbox/discrepancies.ts';
import { under, waitForLock } from '../store/exclusive.ts';
import type { Lock, Store } from '../store/port.ts';
import { discreet } from './discreet.ts';
import { type DeliveryEnd, drain, pausedOf } from './drain.ts';
import { keeping, keptOf } from './kept.ts';
import { takeBack } from './left-over.ts';
import { Lull } from './lull.ts';
import { platformOf, refuseMoved } from './platform.ts';
import { release } from './queue.ts';
import { withRosterStill } from './roster.ts';
import type { DeliveryPatience } from './waiting.ts';

/** About two minutes for a target that is away; items that it does not take then stay queued for the next run. */
export const usualPatience: DeliveryPatience = {
  batch: { retries: 6, firstWaitMs: 1_000, longestWaitMs: 60_000 },
  itemAttempts: 6,
  itemFirstWaitMs: 500,
};

/** Delivers to all enabled targets side by side until nothing is queued, or a target cannot go on. */
export async function deliverAll(
  config: Config,
  store: Store,
  work: Work,
  patience: DeliveryPatience = usualPatience,
): Promise<DeliveryEnd[]> {
  const targets = config.targets.filter((target) => target.enabled);
  return Promise.all(targets.map((target) => deliverAlone(target, config, store, work, patience)));
}

/** Forgets old delivered items, except of plans in hand: a repeat of their last batch must find what it queued. */
async function forgetSent(store: Store, target: string, keep: number): Promise<void> {
  const inHand = (await store.sources.all()).flatMap(({ applying }) => applying?.plan ?? []);
  await store.outbox.forget(target, keep, inHand);
}

/** Delivers to one target. It has one deliverer at a time, or the order of a person's changes would be nobody's. */
export async function deliverAlone(
  target: TargetConfig,
  config: Config,
  store: Store,
  work: Work,
  patience: DeliveryPatience = usualPatience,
): Promise<DeliveryEnd> {
  let lock: Lock | null = null;
  const began = work.clock.monotonic();
  const end: DeliveryEnd = { target: target.name, sent: 0, failed: 0, paused: false, error: null };
  let thrown: unknown = null;
  // Told, not thrown: the other targets go on, and need the store until they are done.
  const stopped = (error: unknown): void => {
    thrown = error;
    const { kind, message } = failureOf(error);
    // What is cut ends in whatever way; and of a target that did not take a batch it is not waited for.
    const isStop = (kind === 'Unavailable' && work.signal.aborted) || (kind === 'Unexpected' && work.abort.aborted);
    end.error = { kind: isStop ? 'Stopped' : kind, message, ...delayOf(error) };
  };
  try {
    lock = await waitForLock(store, `target:${target.name}`, work, target.name);
    await takeBack(store, target.name, work.clock.now().toISOString());
    end.paused = await pausedOf(store, target.name);
    if (!end.paused) {
      const remember = await refuseMoved(target, store, work);
      const discrepancies = new HoldingBack(store);
      await discrepancies.look();
      const accepts = target.connector.accepts(target.settings);
      await release(store, target.name, { accepts, discrepancies: discrepancies.now });
      if ((await store.outbox.queued(target.name, 0, 1)).length)
        await deliverTo(target, config, store, under(lock, work), patience, end, discrepancies, remember).catch(
          stopped,
        );
    }
    await forgetSent(store, target.name, config.retention.sentItems);
  } catch (error) {
    stopped(error);
  }
  await lock?.release().catch(() => {});
  tellEnd(end, thrown, work, began);
  return end;
}

/** The one log line of a delivery; none when there was nothing to do. */
function tellEnd(
  { target, sent, failed, paused, error }: DeliveryEnd,
  thrown: unknown,
  work: Work,
  began: number,
): void {
  const facts = { target, sent, failed, durationMs: Math.round(work.clock.monotonic() - began) };
  if (!error) {
    if (paused)
      work.log.info({ event: 'delivery.paused', target }, `${target}: nothing is sent, a person has paused it`);
    if (!sent && !failed) return;
    const text = `${target}: ${sent} sent${failed ? `, ${failed} refused` : ''}`;
    work.log.at(failed ? 'warn' : 'info', { event: 'delivery.done', ...facts }, text);
    return;
  }
  const isUsual = work.signal.aborted || (error.kind === 'Waiting' && !failed);
  const level = isUsual ? 'info' : mayPass(error.kind) ? 'warn' : 'error';
  // What is none of ours is a bug, and only its stack says where.
  const err = error.kind === 'Unexpected' ? thrown : null;
  work.log.at(level, { event: 'delivery.stopped', ...facts, error, err }, `${target}: ${error.message}`);
}

async function deliverTo(
  target: TargetConfig,
  config: Config,
  store: Store,
  work: Work,
  patience: DeliveryPatience,
  end: DeliveryEnd,
  discrepancies: HoldingBack,
  remember: () => Promise<void>,
): Promise<void> {
  const { clock, observer } = work;
  const { connector, settings, name } = target;
  await withTarget(target, config, store, work, patience, async (session, patiently, lull) => {
    const give = (batch: DeliveryBatch): Promise<ItemResult[]> =>
      connector.wantsRoster?.(settings)
        ? session.deliverRoster!(stillOf(store, name, work), batch)
        : session.deliver(batch);
    const send = async (batch: DeliveryBatch): Promise<ItemResult[]> => {
      const began = clock.monotonic();
      try {
        return await give(batch);
      } catch (error) {
        throw discreet(error, batch);
      } finally {
        observer?.batchAnswered(name, (clock.monotonic() - began) / 1000);
      }
    };
    const spool = openSpoolDir(config.stateDir, `batch-${name}`);
    try {
      const way = {
        lull,
        file: join(spool.dir, 'batch'),
        send: async (batch: DeliveryBatch, unanswered: (why: string) => void) => {
          const attempt = (): Promise<ItemResult[]> =>
            send(batch).catch((error: unknown) => {
              if (error instanceof Unavailable) unanswered(messageOf(error));
              throw error;
            });
          // before any of it counts as sent: after a cut nobody would know where it went
          const noted = async (results: readonly ItemResult[]): Promise<void> => {
            if (results.some(({ outcome }) => outcome === 'sent')) await remember();
          };
          try {
            const results = await patiently(attempt);
            await noted(results);
            return results;
          } catch (error) {
            if (error instanceof Shut) await noted(error.results);
            throw error;
          }
        },
      };
      await drain(target, store, work, patience, end, discrepancies, way);
    } finally {
      spool.drop();
    }
  });
}

/**
 * Has a target that wants the whole roster apply all of it anew, because a person asks. What is queued for it stays so.
 * The caller holds the target's lock, and `work` ends with it. Throws what keeps it from happening.
 */
export async function remaster(
  target: TargetConfig,
  config: Config,
  store: Store,
  work: Work,
  patience: DeliveryPatience = usualPatience,
): Promise<void> {
  await withTarget(target, config, store, work, patience, (session, patiently) =>
    patiently(() => session.deliverRoster!(stillOf(store, target.name, work), [], { remaster: true })),
  );
  await store.outbox.putPlatform(platformOf(target));
}

type Still = <T>(read: (roster: RosterView) => Promise<T>) => Promise<T>;

function stillOf(store: Store, target: string, work: Work): Still {
  return (read) => withRosterStill(store, target, work, read);
}

/** A session with a target, and a way to ask it patiently; everything is closed and taken away at the end. */
async function withTarget<T>(
  target: TargetConfig,
  { institution, stateDir }: Config,
  store: Store,
  work: Work,
  patience: DeliveryPatience,
  use: (session: TargetSession, patiently: <R>(attempt: () => Promise<R>) => Promise<R>, lull: Lull) => Promise<T>,
): Promise<T> {
  const { connector, settings, name } = target;
  const spool = openSpoolDir(stateDir, `outgoing-${name}`);
  const lull = new Lull();
  const clock = lull.clock(work.clock);
  const plain = targetContext(target, institution, spool.dir, { ...work, clock }, keptOf(store, target));
  const context = { ...plain, http: lull.http(plain.http) };
  const patiently = <R>(attempt: () => Promise<R>): Promise<R> =>
    withRetry(patience.batch, clock, work.signal, attempt, (error, n) =>
      work.log.info(
        { event: 'delivery.retry', target: name, attempt: n, error: failureOf(error) },
        `${name}: ${error.message}; trying again`,
      ),
    );
  let session: TargetSession | null = null;
  try {
    session = await patiently(() => connector.open(settings, context));
    return await use(session, patiently, lull);
  } finally {
    await session?.close();
    await context.http.close();
    spool.drop();
  }
}

/** What a target connector is handed. `spoolDir` is the caller's to make and to take away; `keep`: see `keptOf`. */
export function targetContext(
  { name, settings, rate }: TargetConfig,
  institution: string,
  spoolDir: string,
  work: Work,
  keep: TargetContext['keep'] = keeping(),
): TargetContext {
  const { url } = settings as { url: string };
  return {
    ...{ target: name, institution, spoolDir, keep, clock: work.clock, log: work.log, signal: work.abort },
    progress: (text) => work.progress(name, text),
    http: paced(openHttp(url, work.abort), rate),
  };
}

/** The same client, with no more requests started in a span of time than the rate allows; others wait their turn. */
function paced(http: Http, rate: TargetConfig['rate']): Http {
  if (!rate) return http;
  const throttle = pThrottle({ limit: rate.requests, interval: rate.perMs, strict: true });
  return { send: throttle((request: HttpRequest) => http.send(request)), close: () => http.close() };
}
