import { Misconfigured } from '../base/errors.ts';
import type { Work } from '../base/work.ts';
import type { TargetConfig } from '../configure/config.ts';
import type { Platform, Store } from '../store/port.ts';

/**
 * Which platform a target is. A target is known by its name, and what was sent to it is believed to be there; the same name
 * over another address (a sandbox, a typing error, two names swapped) would send updates and removals of people whom that
 * platform never met, or met as others.
 */

/** A target that is no longer the platform that has what was sent to it. */
export interface Moved {
  was: Platform;
  is: Platform;
}

/** The platform that a target is by the configuration. */
export function platformOf({ name, connector, settings }: TargetConfig): Platform {
  return { target: name, kind: connector.kind, address: connector.address(settings) };
}

/** A platform for a person, on one line and without secrets: `canvas at https://example.instructure.com, account 1`. */
export function platformText({ kind, address }: Pick<Platform, 'kind' | 'address'>): string {
  return `${kind} at ${address}`;
}

/** Where a target has moved from and to; null when it has not, or nobody remembers where anything was sent. */
export function movedOf(target: TargetConfig, platforms: readonly Platform[]): Moved | null {
  const was = platforms.find((platform) => platform.target === target.name);
  const is = platformOf(target);
  return was && platformText(was) !== platformText(is) ? { was, is } : null;
}

/** What is said of it, with what a person can do. */
export function movedError({ was, is }: Moved): Misconfigured {
  const { target } = is;
  return new Misconfigured(
    `${target} is ${platformText(is)} now, but what was sent went to ${platformText(was)}; nothing is sent until a person has said what that means`,
    {
      remedy: `put the old address back; or rosterd queue moved ${target} same (that platform, under a new address), or rosterd queue moved ${target} new (another one: it gets the whole roster)`,
    },
  );
}

/**
 * Refuses a target that has moved. Else gives what has to be called before anything counts as sent: it remembers the
 * platform, where nobody has yet. The caller holds the target's lock. Throws `Misconfigured`.
 */
export async function refuseMoved(target: TargetConfig, store: Store, work: Work): Promise<() => Promise<void>> {
  const platforms = await store.outbox.platforms();
  const moved = movedOf(target, platforms);
  if (moved) {
    const error = movedError(moved);
    work.log.error(
      {
        ...{ event: 'target.moved', target: target.name },
        ...{ address: platformText(moved.is), lastAddress: platformText(moved.was) },
      },
      `${target.name}: ${error.message}`,
    );
    throw error;
  }
  let known = platforms.some((platform) => platform.target === target.name);
  const remember = async (): Promise<void> => {
    if (!known) await store.outbox.putPlatform(platformOf(target));
    known = true;
  };
  // of an older rosterd, which remembered nothing: where else should it have gone
  if (!known && (await store.outbox.list({ target: target.name, status: 'sent', limit: 1 })).length) await remember();
  return remember;
}
