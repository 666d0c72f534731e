import { excerpt as beginning, scrub } from '../../src/base/redact.ts';
import { type HttpAnswer, retryAfterMs } from '../../src/connector/http.ts';

/** The beginning of a text without markup, for messages. */
export function excerpt(text: string): string {
  // before its markup goes: a secret may look like a part of it
  return beginning(scrub(text).replace(/<[^<>]*>/g, ' '));
}

/** How long the server asked to be left alone, for `Unavailable`. */
export function answerDelay(answer: HttpAnswer, now: Date): { delayMs?: number } {
  const delayMs = retryAfterMs(answer.headers, now);
  return delayMs === undefined ? {} : { delayMs };
}

/** True for a status that says: not now, whatever else the answer says. */
export function isPassing(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}

/** A row that somebody else writes at this moment; when a trigger met the lock, the error is the trigger's own. */
const locked = /^(?:UNABLE_TO_LOCK_ROW|TooManyLockFailure)\b|\bfirst error: UNABLE_TO_LOCK_ROW\b/;

/** True for a refusal that passes by itself, by its words: its code, a colon, and the message. */
export function isLocked(words: string): boolean {
  return locked.test(words);
}
