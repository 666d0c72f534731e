import type { Config } from '../configure/config.ts';

/** What differs between two configurations. A path as people write it, such as `sources.sis.schedule`; never a value. */
export interface Difference {
  path: string;
  what: 'added' | 'removed' | 'changed';
}

/** Differences by what they take. */
export interface Differences {
  /** In force at once. */
  live: Difference[];
  /** Not before the service starts anew; until then the old value holds. */
  restart: Difference[];
}

/**
 * What a change of each key of the file takes. Everything that the service is connected to, or listens on, is opened once,
 * and the institution is written into the store; the rest is looked up anew by each run.
 */
const takes: Record<keyof Config, 'nothing' | 'live' | 'restart'> = {
  file: 'nothing',
  digest: 'nothing',
  institution: 'restart',
  stateDir: 'restart',
  store: 'restart',
  control: 'restart',
  listen: 'restart',
  integration: 'live',
  metrics: 'restart',
  timezone: 'live',
  service: 'live',
  retention: 'live',
  roster: 'live',
  sources: 'live',
  targets: 'live',
};

const keysThat = (take: 'live' | 'restart') =>
  (Object.keys(takes) as (keyof Config)[]).filter((key) => takes[key] === take);

/** What differs, in the order of the first configuration. Pure. */
export function compareConfigs(before: Config, after: Config): Differences {
  const live = keysThat('live').flatMap((key) => {
    if (key !== 'sources' && key !== 'targets') return differencesOf(key, before[key], after[key], 1);
    return namedDifferences(key, before[key], after[key]);
  });
  const restart = keysThat('restart').flatMap((key) => differencesOf(key, before[key], after[key], 1));
  return { live, restart };
}

/** The new configuration with the old value of everything that takes a restart: what a service can be in force of now. */
export function liveConfig(before: Config, after: Config): Config {
  const kept = Object.fromEntries(keysThat('restart').map((key) => [key, before[key]]));
  return { ...after, ...kept };
}

/** True when nothing of two values differs, with secrets told apart by where they come from. */
export function same(a: unknown, b: unknown): boolean {
  const functions: unknown[] = [];
  return a === b || plain(a, functions) === plain(b, functions);
}

interface Named {
  name: string;
}

function namedDifferences(key: string, before: readonly Named[], after: readonly Named[]): Difference[] {
  const [old, now] = [byName(before), byName(after)];
  const found: Difference[] = [];
  for (const [name, one] of old) {
    const other = now.get(name);
    if (other) found.push(...differencesOf(`${key}.${name}`, one, other, 1));
    else found.push({ path: `${key}.${name}`, what: 'removed' });
  }
  for (const name of now.keys()) if (!old.has(name)) found.push({ path: `${key}.${name}`, what: 'added' });
  // the order of sources is the precedence of what they say
  const both = (names: Iterable<string>): string => [...names].filter((name) => old.has(name) && now.has(name)).join();
  if (both(old.keys()) !== both(now.keys())) found.push({ path: `${key} (their order)`, what: 'changed' });
  return found;
}

function byName(entries: readonly Named[]): Map<string, Named> {
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** Goes into maps of keys `depth` levels deep; the settings of a connector stand beside the common keys in the file. */
function differencesOf(path: string, before: unknown, after: unknown, depth: number): Difference[] {
  if (same(before, after)) return [];
  if (depth === 0 || !isMap(before) || !isMap(after)) return [{ path, what: 'changed' }];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key): Difference[] => {
    if (key === 'settings') return differencesOf(path, before[key], after[key], 1);
    const inner = `${path}.${key.replace(/Ms$/, '')}`;
    if (!(key in before)) return [{ path: inner, what: 'added' }];
    if (!(key in after)) return [{ path: inner, what: 'removed' }];
    return differencesOf(inner, before[key], after[key], depth - 1);
  });
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof RegExp);
}

/**
 * A value as text. A function shows nothing of what it closes over, so it is the same only as itself: a difference that is
 * none does no harm, one that is overlooked would.
 */
function plain(value: unknown, functions: unknown[]): string {
  return JSON.stringify(value, (key, one: unknown) => {
    if (key === 'connector') return (one as { kind: string }).kind;
    if (typeof one === 'function') {
      if (!functions.includes(one)) functions.push(one);
      return `function ${functions.indexOf(one)}`;
    }
    if (one instanceof RegExp) return String(one);
    if (one instanceof Map || one instanceof Set) return [...one];
    return typeof one === 'bigint' ? String(one) : one;
  });
}
