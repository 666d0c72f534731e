import { onTestFinished } from 'vitest';
import { Unavailable } from '../../src/base/errors.ts';
import type { TargetConfig } from '../../src/configure/config.ts';
import type { DeliveryItem, ItemResult, TargetSession } from '../../src/connector/target.ts';
import { deliverAll } from '../../src/deliver/deliver.ts';
import type { DeliveryPatience } from '../../src/deliver/waiting.ts';
import { everything, noLimits, Site } from './history.ts';
import type { MemoryRow } from './memory-source.ts';

/** Targets that say what a test tells them to, and a queue for them. */

export const patience: DeliveryPatience = {
  batch: { retries: 3, firstWaitMs: 1_000, longestWaitMs: 60_000 },
  itemAttempts: 3,
  itemFirstWaitMs: 500,
};

/** A target that says what a test tells it to; `null` or nothing: sent. */
export class Target {
  readonly name: string;
  readonly batches: string[][] = [];
  closed = 0;
  says: (item: DeliveryItem, text: string) => Partial<ItemResult> | null = () => null;
  answers: (results: ItemResult[]) => ItemResult[] = (results) => results;
  opens: () => void = () => {};
  delivers: () => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  config(size: number): TargetConfig {
    const session: TargetSession = {
      deliver: async (items) => {
        const batch = [...items];
        this.batches.push(batch.map(textOf));
        this.delivers();
        return this.answers(
          batch.map(
            (item): ItemResult =>
              ({ item: item.item, outcome: 'sent', answer: null, ...this.says(item, textOf(item)) }) as ItemResult,
          ),
        );
      },
      close: async () => {
        this.closed += 1;
      },
    };
    const connector = {
      ...everything,
      batchSize: () => size,
      open: async () => {
        this.opens();
        return session;
      },
    };
    return {
      name: this.name,
      connector,
      enabled: true,
      rate: null,
      giveUpAfter: 50,
      settings: { url: 'http://127.0.0.1:9' },
    };
  }

  /** Everything that was ever handed over. */
  get texts(): string[] {
    return this.batches.flat();
  }
}

export function textOf({ account, type, course }: DeliveryItem): string {
  return [account?.firstName, type, course?.course].filter(Boolean).join(' ');
}

export function written() {
  const said: Record<string, unknown>[] = [];
  return { said, to: { write: (line: string) => void said.push(JSON.parse(line)) } };
}

export const row = (who: string, course = 'C1'): MemoryRow => ['F', 'D', course, who, 'L', `${who}@x.edu`, '1', who];

/** A site with ann and bob (in the order of their numbers) in the queue of each target. */
export async function queued(size: number, ...targets: Target[]) {
  const site = new Site({ sources: ['sis'], limits: noLimits, targets: targets.map((target) => target.config(size)) });
  onTestFinished(() => site[Symbol.asyncDispose]());
  const controller = new AbortController();
  site.rosterd.work.signal = controller.signal;
  await site.run('sis', [row('ann'), row('bob')]);
  const started = site.time;
  return {
    site,
    stop: () => controller.abort(new Unavailable('stopped by SIGTERM')),
    deliver: () => deliverAll(site.rosterd.config, site.store, site.rosterd.work, patience),
    statuses: async (target: string) =>
      Object.fromEntries(
        (await site.store.outbox.list({ target, limit: 99 })).map((item) => [textOf(item.delivery), item.status]),
      ),
    waited: () => site.time - started,
  };
}
export const all = ['ann account.create', 'bob account.create', 'ann enrolment.add C1', 'bob enrolment.add C1'];
export const sentAll = Object.fromEntries(all.map((text) => [text, 'sent']));
