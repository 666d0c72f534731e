import type { Config } from '../configure/config.ts';
import { directoriesOf, rulesFingerprint } from '../configure/rules.ts';
import type { Format } from '../snapshot/formats/index.ts';
import type { RosterRules, Snapshot, SourceState, Store } from '../store/port.ts';

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

/** Who only fills in. */
export interface Roles {
  directories: ReadonlySet<string>;
  /** Those of them that say who exists by the configuration, and were not read since it says so. */
  unread: ReadonlySet<string>;
}

/**
 * Roles as a run of `source` finds them: by the configuration, and of all others the snapshot in force as well. What was read
 * as entries of a directory stays that until it is read again, or for good when the configuration does not name it any more:
 * entries have no courses and may have neither names nor address. Taken for people who are there, they would empty fields of
 * everybody, and those of a directory that was renamed would be in conflict with half of the campus.
 */
export async function rolesNow(store: Store, config: Config, source: string): Promise<Roles> {
  const configured = directoriesOf(config);
  const authoritative = config.sources.map(({ name }) => name).filter((name) => !configured.has(name));
  const read = (await store.sources.all()).filter((state) => state.directory && state.source !== source);
  const names = read.map((state) => state.source);
  return {
    directories: new Set([...configured, ...names]),
    unread: new Set(names.filter((name) => authoritative.includes(name))),
  };
}

/** True when a source was last looked at under other rules, or before other rules were tried and taken back. */
export async function rulesChanged(store: Store, state: SourceState, fingerprint: string): Promise<boolean> {
  if (state.rules === null) return false;
  const rules = await store.roster.rules();
  return rules.fingerprint !== fingerprint || state.rules !== stampOf(rules);
}

/**
 * The snapshot that rules which were edited are to be applied to, when a source has nothing new to say; else null. Not when its
 * rows would have to be read otherwise than they were, and not when it is no longer the last word: while removals wait for a
 * person, who was shown them under the rules of that time; and after a person approved what an empty answer takes.
 */
export async function standsAgain(
  store: Store,
  config: Config,
  state: SourceState,
  last: Snapshot | null,
  format: Format,
): Promise<Snapshot | null> {
  if (!last?.records || last.reading !== format.fingerprint) return null;
  if (state.held !== null || state.emptyApproved) return null;
  return (await rulesChanged(store, state, rulesFingerprint(config))) ? last : null;
}
