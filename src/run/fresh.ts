import { refreshes } from '../schedule/freshness.ts';
import type { Store } from '../store/port.ts';

/** Runs that are looked at in one go. */
const atOnce = 50;

/**
 * When a source was last known whole and in force: the start of its last run that ended `applied` or `unchanged`. While a
 * part of a plan waits, or was rejected, no run ends so: what waits is looked at again by each. A dry run does not count,
 * nor one that found nothing new to read. Null before the first. When retention has forgotten that run, the snapshot in
 * force stands for it, which may be older than the truth and never younger.
 */
export async function lastGoodOf(store: Store, source: string): Promise<string | null> {
  for (let skip = 0; ; skip += atOnce) {
    const page = await store.runs.list({ source, skip, limit: atOnce });
    const good = page.find(refreshes);
    if (good) return good.startedAt;
    if (page.length < atOnce) break;
  }
  const { current, held, applying } = await store.sources.get(source);
  if (current === null || held !== null || applying !== null) return null;
  return (await store.snapshots.get(source, current))?.at ?? null;
}
