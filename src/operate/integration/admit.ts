import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { IntegrationKey } from '../../configure/config.ts';
import { isPushKey } from '../../connector/push-key.ts';

/** Names of the two headers: ours, and those that callers of the interface we follow have already. One kind a request. */
export const headerNames = [
  { key: 'X-Rosterd-API-Key', secret: 'X-Rosterd-API-Secret' },
  { key: 'X-Corvus-API-Key', secret: 'X-Corvus-API-Secret' },
] as const;

/**
 * The key that a request shows together with its secret; null when it does not. Every key is looked at to its end, so
 * that nobody learns by the time whether the key or the secret was the wrong one.
 */
export function admit(keys: readonly IntegrationKey[], headers: IncomingHttpHeaders): IntegrationKey | null {
  const text = (name: string): string | undefined => {
    const value = headers[name.toLowerCase()];
    return typeof value === 'string' ? value : undefined;
  };
  const shown = headerNames
    .map(({ key, secret }) => ({ key: text(key), secret: text(secret) }))
    .filter(({ key, secret }) => key !== undefined || secret !== undefined);
  // with both kinds in one request somebody on its way may have put in one
  const { key = '', secret = '' } = (shown.length === 1 && shown[0]) || {};
  let found: IntegrationKey | null = null;
  for (const one of keys) {
    const named = timingSafeEqual(digest(key), digest(one.key));
    const proved = isPushKey(secret, one.sha256);
    if (named && proved) found = one;
  }
  return found;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
