import { systemClock } from '../../base/clock.ts';
import { failureOf, kindOf, messageOf, Unavailable } from '../../base/errors.ts';
import { movedOf, platformText } from '../../deliver/platform.ts';
import { endsWithin } from '../../schedule/bell.ts';
import type { Away, Run, Store } from '../../store/port.ts';
import type { OutboxCounts, Pause } from '../../store/port-outbox.ts';
import type { Service } from '../service.ts';
import { outboxCounts } from '../sync.ts';
import { version } from '../version.ts';
import type { StatusBody } from './api.ts';

/** How long somebody who wants to know how things stand waits for the store, which has its own patience, a minute long. */
const patienceMs = 5_000;

/** What nobody but the store knows. */
interface Stored {
  runs: ReadonlyMap<string, { newest: Run | null; held: string | null }>;
  counts: Readonly<Record<string, OutboxCounts>>;
  pauses: ReadonlyMap<string, Omit<Pause, 'target'>>;
  moved: ReadonlyMap<string, StatusBody['targets'][number]['moved']>;
}

/** Tells where everything stands, also and just then when the store does not answer. */
export function statusTeller(service: Service): () => Promise<unknown> {
  const store = new StoreAsker(service);
  return async () => {
    const { found, ...said } = await store.ask();
    // after the store has spoken: it may have taken a while
    const { scheduler } = service;
    const { atWork, sources, targets } = scheduler.status;
    return {
      ...{ service: aboutOf(service), store: said.store, atWork },
      sources: sources.map((one) => {
        const { newest = null, held = null } = found?.runs.get(one.name) ?? {};
        return { ...one, lastRun: newest && lastRunOf(newest), held };
      }),
      targets: targets.map((one) => ({
        ...{ ...one, queue: found?.counts[one.name] ?? null, paused: found?.pauses.get(one.name) ?? null },
        moved: found?.moved.get(one.name) ?? null,
      })),
    };
  };
}

function aboutOf({ scheduler: { life, since, healthy, config }, reloadRefused }: Service): StatusBody['service'] {
  const reason = life.state === 'stopping' ? life.reason : life.state === 'failed' ? messageOf(life.error) : null;
  const about = { state: life.state, reason, since: since.toISOString() };
  const loaded = { config: config.file, configDigest: config.digest, reloadRefused };
  return { ...about, pid: process.pid, version, ...loaded, healthy };
}

function lastRunOf({ run, status, startedAt, durationMs }: Run): StatusBody['sources'][number]['lastRun'] {
  return { run, status, startedAt, durationMs };
}

type Told = { store: StatusBody['store']; found: Stored | null };

/** Asks the store, and never waits long for it. */
class StoreAsker {
  readonly #service: Service;
  /** What it was asked and has not answered in time; it is not asked anything more meanwhile. */
  #overdue: Promise<unknown> | null = null;
  #away: Away | null = null;

  constructor(service: Service) {
    this.#service = service;
  }

  async ask(): Promise<Told> {
    const { store } = this.#service.opened ?? {};
    if (!store) return { store: { state: 'unopened' }, found: null };
    const answer = store.away ?? (this.#overdue && this.#away) ?? (await this.#read(store));
    if ('found' in answer) {
      this.#away = null;
      return answer;
    }
    const { since, error } = answer;
    if (!this.#away) this.#service.log.warn({ event: 'status.store', error }, error.message);
    this.#away = answer;
    return { store: { state: 'away', since: since.toISOString(), error }, found: null };
  }

  async #read(store: Store): Promise<Told | Away> {
    const since = this.#away?.since ?? systemClock.now();
    const reading = readStored(this.#service);
    if (!(await endsWithin(systemClock, patienceMs, reading, this.#service.hasten))) {
      const over = (): void => {
        this.#overdue = null;
      };
      this.#overdue = reading.then(over, over);
      // by now it may have found out why by itself
      if (store.away) return store.away;
      const error = new Unavailable(`the store has not answered within ${patienceMs / 1000} s`);
      return { since, error: failureOf(error) };
    }
    try {
      return { store: { state: 'answers' }, found: await reading };
    } catch (error) {
      if (kindOf(error) === 'Unexpected') throw error;
      return { since, error: failureOf(error) };
    }
  }
}

async function readStored({ rosterd, scheduler }: Service): Promise<Stored> {
  const { config, store } = rosterd;
  await scheduler.lookUp();
  const runs = config.sources.map(async ({ name }) => {
    const [newest = null] = await store.runs.list({ source: name, limit: 1 });
    const { held } = await store.sources.get(name);
    return [name, { newest, held }] as const;
  });
  const platforms = await store.outbox.platforms();
  return {
    runs: new Map(await Promise.all(runs)),
    counts: await outboxCounts(rosterd),
    pauses: new Map((await store.outbox.pauses()).map(({ target, ...pause }) => [target, pause])),
    moved: new Map(
      config.targets.flatMap((target) => {
        const moved = movedOf(target, platforms);
        return moved ? [[target.name, { from: platformText(moved.was), to: platformText(moved.is) }] as const] : [];
      }),
    ),
  };
}
