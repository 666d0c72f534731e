import { scrub } from '../../src/base/redact.ts';
import { type HttpAnswer, retryAfterMs } from '../../src/connector/http.ts';

/** JSON, or undefined for what is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The beginning of a text without markup, for messages. */
export function excerpt(text: string): string {
  // before it is cut: half a secret would be known by nobody
  const plain = scrub(text)
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain;
}

/** How long the server asked to be left alone, for `Unavailable`. */
export function answerDelay(answer: HttpAnswer, now: Date): { delayMs?: number } {
  const delayMs = retryAfterMs(answer.headers, now);
  return delayMs === undefined ? {} : { delayMs };
}
