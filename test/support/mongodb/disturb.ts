import { between, type Random } from '../kill-history.ts';
import { type Command, type FaultyProxy, isUpkeep, isWrite } from './proxy.ts';

/** What goes wrong on the wire of one process, in ways that a day can be lived with. */

/** What a disturbance came to. */
export interface Disturbed {
  /** `update accounts`: the request that it began at. */
  at: string;
  /** Whether the process died of it. */
  dead: boolean;
  /** How many faults there were, by their names. */
  faults: Record<string, number>;
}

/** Arms the proxy of the process of that number, from 0; `die` ends the process with the next thing that it does. */
export type Disturbance = (proxy: FaultyProxy, die: () => void, process: number) => Disturbing;

interface Disturbing {
  /** Null when it has not come to that. */
  done(): Disturbed | null;
}

/** Faults that a process survives without anybody's help. */
export const survivable = ['loseAnswer', 'cutBefore', 'swallow', 'swallowAnswers', 'refuse'] as const;
export type Survivable = (typeof survivable)[number];

/** Milliseconds for which connections are refused. */
const refusedMs = 120;

const nameOf = ({ name, collection }: Command): string => `${name} ${collection}`;
const nothing: Disturbing = { done: () => null };

/** Makes a fault of this request. */
function strike(proxy: FaultyProxy, kind: Survivable): 'loseAnswer' | 'cutBefore' | 'swallow' | 'pass' {
  if (kind === 'swallowAnswers') {
    // Until somebody asks again, who must have given up this answer.
    proxy.swallow('answer');
    return 'pass';
  }
  if (kind === 'refuse') {
    void proxy.refuse(true);
    setTimeout(() => void proxy.refuse(false).catch(() => {}), refusedMs).unref();
    return 'cutBefore';
  }
  return kind;
}

/** One fault, at the `k`th write request of the first process. */
export function faultAt(k: number, kind: Survivable): Disturbance {
  return (proxy, _die, process) => {
    if (process) return nothing;
    let writes = 0;
    let at: string | null = null;
    proxy.fault((command) => {
      if (at !== null) proxy.swallow();
      if (!isWrite(command)) return 'pass';
      writes += 1;
      if (writes !== k) return 'pass';
      at = nameOf(command);
      return strike(proxy, kind);
    });
    return { done: () => (at === null ? null : { at, dead: false, faults: { [kind]: 1 } }) };
  };
}

/** The process dies: the database does its `k`th write, and it never hears of that, nor of anything after it. */
export function deathAt(k: number, again: number | null = null): Disturbance {
  return (proxy, die, process) => {
    const last = process === 0 ? k : process === 1 ? again : null;
    if (last === null) return nothing;
    let writes = 0;
    let at: string | null = null;
    proxy.fault((command) => {
      if (at !== null) return isUpkeep(command) ? 'pass' : 'cutBefore';
      if (!isWrite(command)) return 'pass';
      writes += 1;
      if (writes !== last) return 'pass';
      at = nameOf(command);
      die();
      return 'loseAnswer';
    });
    return { done: () => (at === null ? null : { at, dead: true, faults: { death: 1 } }) };
  };
}

/** Every message of both directions is late. */
export function late(ms: number): Disturbance {
  return (proxy) => {
    proxy.delay(ms);
    return { done: () => ({ at: 'the start', dead: false, faults: { late: 1 } }) };
  };
}

/** Faults of all kinds at requests of all kinds, as often as `share` says; deaths too, where `mortal`. */
export function mixture(random: Random, share: number, mortal: boolean): Disturbance {
  return (proxy, die, process) => {
    const faults: Record<string, number> = {};
    const dying = mortal && process < 2 ? between(random, 1, 60) : null;
    let [writes, dead] = [0, false];
    proxy.fault((command) => {
      proxy.swallow();
      if (isUpkeep(command)) return 'pass';
      if (dead) return 'cutBefore';
      if (isWrite(command)) writes += 1;
      const note = (kind: string): void => {
        faults[kind] = (faults[kind] ?? 0) + 1;
      };
      if (dying !== null && writes === dying) {
        dead = true;
        note('death');
        die();
        return 'loseAnswer';
      }
      const dice = random() / share;
      if (dice >= 1) return 'pass';
      if (dice < 0.3) {
        note('late');
        return between(random, 1, 30);
      }
      const kind = dice < 0.55 ? 'loseAnswer' : dice < 0.8 ? 'cutBefore' : survivable[between(random, 2, 4)]!;
      note(kind);
      return strike(proxy, kind);
    });
    return { done: () => ({ at: 'anywhere', dead, faults }) };
  };
}
