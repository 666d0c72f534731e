import pLimit from 'p-limit';
import { Denied, delayOf, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { type DeliveryItem, type ItemResult, type PreviewedRequest, Shut } from '../../src/connector/target.ts';
import type { CanvasApi } from './api.ts';
import type { CanvasSettings } from './schema.ts';

/**
 * Who is suspended cannot sign in, and yet stays signed in, in browsers and on phones, for as long as the session lasts
 * (Canvas Admin Guide, "How do I suspend or reactivate users in an account?"). So the sessions of a disabled person end too,
 * once the import has arrived: before, they would sign in again at once.
 */

/** So many requests side by side: each takes of the bucket that all requests of the token share. */
const sideBySide = 4;
/** So many that are not taken one after the other are no matter of these users. */
const mostInARow = 2 * sideBySide;
/** Canvas speaks of the token itself, not of what it may (canvas-lms `authentication_methods.rb`). */
const ofTheToken = /access token/i;

/** Somebody whom a batch disables, and where in the batch. */
export interface Leaver {
  at: number;
  account: string;
}

/** Whom an item disables; null: nobody. */
export function leaverOf({ type, account }: DeliveryItem, at: number): Leaver | null {
  return type === 'account.disable' ? { at, account: account!.account } : null;
}

/** Ends all sessions of a person, and all their access tokens (Canvas Users API, "Terminate all user sessions"). */
function endOf(account: string): { method: 'DELETE'; path: string } {
  return { method: 'DELETE', path: `/api/v1/users/sis_user_id:${encodeURIComponent(account)}/sessions` };
}

/**
 * Ends the sessions of everybody whose disabling has arrived, and says so in its result. Where Canvas cannot be asked now, the
 * change is tried again, all of it: it does no harm. `told`: how many are done.
 */
export async function endSessions(
  api: CanvasApi,
  leavers: readonly Leaver[],
  results: readonly ItemResult[],
  told: (done: number) => void,
): Promise<ItemResult[]> {
  const after = [...results];
  const limit = pLimit(sideBySide);
  let done = 0;
  /** Requests in a row that Canvas did not take: a user who is always one of these must not hold up those behind. */
  let inARow = 0;
  /** Why nobody is asked about any more. */
  let stop: Unavailable | Denied | null = null;
  const endOne = async ({ at, account }: Leaver): Promise<void> => {
    const { item, answer } = after[at]!;
    const later = (why: Unavailable | Denied, more: { attempted?: false } = {}): void => {
      after[at] = { item, outcome: 'retry', answer: `${answer}; sessions: ${why.message}`, ...delayOf(why), ...more };
    };
    if (stop) return later(stop, { attempted: false });
    try {
      const isThere = await api.tell(endOf(account));
      const words = isThere ? 'sessions ended' : 'no such user, so no sessions';
      after[at] = { item, outcome: 'sent', answer: `${answer}; ${words}` };
      inARow = 0;
      done += 1;
      told(done);
    } catch (error) {
      if (error instanceof Unavailable) {
        inARow += 1;
        if (inARow >= mostInARow) stop = error;
        later(error);
      } else if (error instanceof Denied && ofTheToken.test(error.message)) {
        stop = error;
        later(error, { attempted: false });
      } else if (error instanceof Denied || error instanceof Misconfigured)
        after[at] = { item, outcome: 'failed', answer: `${answer}; ${still(error)}` };
      else throw error;
    }
  };
  const arrived = leavers.filter(({ at }) => after[at]!.outcome === 'sent');
  // all are waited for: nothing of this batch has an effect after it was answered for
  await Promise.all(arrived.map((one) => limit(endOne, one)));
  if ((stop as Error | null) instanceof Denied) throw new Shut(after, stop);
  return after;
}

function still({ message }: Error): string {
  const remedy = 'may the user of the token manage logins? If nobody shall be signed out: endSessions: false';
  return `disabled, but still signed in where they were: ${message}; ${remedy}`;
}

/** The requests that follow an import of these items. */
export function previewSessions({ url, endSessions: ends }: CanvasSettings, items: readonly DeliveryItem[]) {
  return items.flatMap((item, at): PreviewedRequest[] => {
    const leaver = ends ? leaverOf(item, at) : null;
    if (!leaver) return [];
    const { method, path } = endOf(leaver.account);
    const headers = { accept: 'application/json', authorization: 'Bearer {secret}' };
    return [{ method, url: new URL(path, url).href, headers, body: null, items: [item.item] }];
  });
}
