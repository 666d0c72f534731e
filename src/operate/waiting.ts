import type { Rosterd } from '../run/rosterd.ts';

/** The runs that wait for a person: one of a source at most, for a newer snapshot replaces what waits. */
export async function waitingRuns({ store }: Rosterd): Promise<Set<string>> {
  return new Set((await store.sources.all()).flatMap(({ held }) => held ?? []));
}
