import { createHmac, randomBytes } from 'node:crypto';

/**
 * OAuth 1.0a with a consumer's key and secret and no token (RFC 5849 §3; OneRoster 1.1). Own code, because the libraries
 * for it have had no release for years; it is one page, and proved against the examples of the RFC and of Twitter.
 */

/** Who signs. */
export interface Consumer {
  key: string;
  secret: string;
  /** Secret of a token, where there is one. */
  tokenSecret?: string;
  signature: 'HMAC-SHA1' | 'HMAC-SHA256';
}

/** RFC 3986: everything but letters, digits and `-._~`. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);

/** The `Authorization` header of one request. A nonce is used once, so every request is signed anew. */
export function signed(method: string, url: URL, consumer: Consumer, now: Date): string {
  const parameters: [string, string][] = [
    ['oauth_consumer_key', consumer.key],
    ['oauth_nonce', randomBytes(16).toString('hex')],
    ['oauth_signature_method', consumer.signature],
    ['oauth_timestamp', String(Math.floor(now.getTime() / 1000))],
    ['oauth_version', '1.0'],
  ];
  const signature = signatureOf(method, url, parameters, consumer);
  const all = [...parameters, ['oauth_signature', signature] as const];
  return `OAuth ${all.map(([name, value]) => `${name}="${encoded(value)}"`).join(', ')}`;
}

/** The signature over method, address, query and the `oauth_` parameters (RFC 5849 §3.4). */
export function signatureOf(
  method: string,
  url: URL,
  parameters: readonly (readonly [string, string])[],
  { secret, tokenSecret = '', signature }: Consumer,
): string {
  const pairs = [...url.searchParams, ...parameters].map(([name, value]) => [encoded(name), encoded(value)] as const);
  pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  const normalised = pairs.map(([name, value]) => `${name}=${value}`).join('&');
  const base = [method.toUpperCase(), `${url.origin}${url.pathname}`, normalised].map(encoded).join('&');
  const key = `${encoded(secret)}&${encoded(tokenSecret)}`;
  return createHmac(signature === 'HMAC-SHA1' ? 'sha1' : 'sha256', key)
    .update(base)
    .digest('base64');
}
