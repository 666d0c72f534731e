import type { TargetConfig } from '../configure/config.ts';
import type { TargetContext } from '../connector/target.ts';
import type { Store } from '../store/port.ts';
import { platformOf, platformText } from './platform.ts';

const kept = new WeakMap<Store, Map<string, TargetContext['keep']>>();

/**
 * What the sessions with a target leave to later ones, see `TargetContext.keep`. It belongs to the platform and to the store
 * that is open: a reload makes new settings of the same target, and what was transmitted is under way all the same.
 */
export function keptOf(store: Store, target: TargetConfig): TargetContext['keep'] {
  const all = kept.get(store) ?? new Map<string, TargetContext['keep']>();
  kept.set(store, all);
  const key = `${target.name} ${platformText(platformOf(target))}`;
  const own = all.get(key) ?? keeping();
  all.set(key, own);
  return own;
}

/** A place for one thing. */
export function keeping(): TargetContext['keep'] {
  let thing: object | null = null;
  return <T extends object>(make: () => T): T => {
    thing ??= make();
    return thing as T;
  };
}
