import type { Config } from '../configure/config.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { OutboxCounts, Snapshot } from '../store/port.ts';

/**
 * Sources and targets that were renamed in the configuration or taken out of it. The rows of a source count as before, and
 * no run of its own comes any more that could take them back; so whoever is in them stays for ever, whatever the other
 * sources say. What is queued for a target stays as well, and no command reaches it.
 */

const namesOf = (entries: readonly { name: string }[]): ReadonlySet<string> => new Set(entries.map(({ name }) => name));

/** Of snapshots in force, those that hold somebody and whose source the configuration does not name; by source. */
export function unnamedSources({ sources }: Pick<Config, 'sources'>, inForce: Iterable<Snapshot>): Snapshot[] {
  const named = namesOf(sources);
  return [...inForce]
    .filter(({ source, records, quarantined }) => !named.has(source) && records + quarantined > 0)
    .sort((a, b) => (a.source < b.source ? -1 : 1));
}

/** What follows from it, for a person. */
export function unnamedText({ source, at, records, quarantined }: Snapshot): string {
  const rows = records + quarantined;
  return `${source}: the configuration does not name this source, which has had no snapshot since ${at}; its ${rows.toLocaleString('en')} ${rows === 1 ? 'row still counts' : 'rows still count'}, and nobody in them is disabled or taken out of a course`;
}

/** A target that the configuration does not name, and how many items of it were never delivered. */
interface LeftBehind {
  target: string;
  items: number;
}

/** Of the queues of a store, those with something in them whose target the configuration does not name; by target. */
export function unnamedTargets(
  { targets }: Pick<Config, 'targets'>,
  counts: Readonly<Record<string, OutboxCounts>>,
): LeftBehind[] {
  const named = namesOf(targets);
  return Object.entries(counts)
    .map(([target, { queued, processing, failed }]) => ({ target, items: queued + processing + failed }))
    .filter(({ target, items }) => !named.has(target) && items > 0)
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** What follows from it, for a person. */
export function leftBehindText({ target, items }: LeftBehind): string {
  return `${target}: the configuration does not name this target, and ${items.toLocaleString('en')} ${items === 1 ? 'item for it is' : 'items for it are'} not delivered and will not be`;
}

/** Says it in the log, one line a source or target. */
export async function warnOfUnnamed({ config, store, work }: Rosterd): Promise<void> {
  const inForce: Snapshot[] = [];
  const named = namesOf(config.sources);
  for (const { source, current } of await store.sources.all()) {
    if (named.has(source)) continue;
    const snapshot = current === null ? null : await store.snapshots.get(source, current);
    if (snapshot) inForce.push(snapshot);
  }
  for (const snapshot of unnamedSources(config, inForce)) {
    const { source, at } = snapshot;
    work.log.warn({ event: 'source.unnamed', source, lastGood: at }, unnamedText(snapshot));
  }
  for (const left of unnamedTargets(config, await store.outbox.counts()))
    work.log.warn({ event: 'target.unnamed', ...left }, leftBehindText(left));
}
