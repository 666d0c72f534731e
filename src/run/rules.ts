import type { Config } from '../configure/config.ts';
import { directoriesOf } from '../configure/rules.ts';
import type { RosterRules, SourceState, Store } from '../store/port.ts';

/** No stamp: everybody of the source is looked at in its next run, whatever the rules are then. */
export const outdated = '';

/**
 * Makes rules the ones that the roster stands under, and gives their stamp. A run under new rules may change people of
 * other sources too; those have to look at everybody again even if the old rules are back by their next run, so the
 * stamp of the same rules is another one then.
 */
export async function enterRules(store: Store, fingerprint: string): Promise<string> {
  const rules = await store.roster.rules();
  if (rules.fingerprint === fingerprint) return stampOf(rules);
  const next = { fingerprint, times: rules.times + 1 };
  await store.roster.putRules(next);
  return stampOf(next);
}

function stampOf({ fingerprint, times }: RosterRules): string {
  return `${times}:${fingerprint}`;
}

/**
 * Sources that only fill in: by the configuration, and of those that it does not name any more the ones that did so last.
 * Taken for people who are there, the entries of a directory that was renamed would be in conflict with half of the campus.
 */
export async function directoriesNow(store: Store, config: Config): Promise<ReadonlySet<string>> {
  const named = new Set(config.sources.map(({ name }) => name));
  const before = (await store.sources.all()).filter(({ source, directory }) => directory && !named.has(source));
  return new Set([...directoriesOf(config), ...before.map(({ source }) => source)]);
}

/** True when a source was last looked at under other rules, or before other rules were tried and taken back. */
export async function rulesChanged(store: Store, state: SourceState, fingerprint: string): Promise<boolean> {
  if (state.rules === null) return false;
  const rules = await store.roster.rules();
  return rules.fingerprint !== fingerprint || state.rules !== stampOf(rules);
}
