import type { Clock } from '../../src/base/clock.ts';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { parsedJson } from '../../src/base/json.ts';
import { hideSecret } from '../../src/base/redact.ts';
import { type Http, openHttp, type Route, retryAfterMs } from '../../src/connector/http.ts';
import { signed } from './oauth1.ts';
import { type AuthSettings, tokenAnswer } from './schema.ts';
import { wordsOf } from './words.ts';

/** What a request brings to be let in. */
export interface Auth {
  /** Headers for one request. They are made for each, because a signature is. */
  headers(url: URL): Promise<Record<string, string>>;
  /** A request with these headers was answered 401: true when there may be better ones. A caller asks once a request. */
  renew(stale: Record<string, string>): boolean;
  close(): Promise<void>;
}

/** A token that has less than this left is not begun with. */
const tokenMarginMs = 30_000;

/** Secrets are read when they are used: a rotated file needs no restart. */
export function openAuth(
  settings: AuthSettings | undefined,
  { clock, signal, route }: { clock: Clock; signal: AbortSignal; route: Route },
): Auth {
  const fixed = (headers: () => Record<string, string>, url?: (url: URL) => Record<string, string>): Auth => ({
    headers: async (to) => (url ? url(to) : headers()),
    renew: () => false,
    close: async () => {},
  });
  switch (settings?.kind) {
    case undefined:
      return fixed(() => ({}));
    case 'header':
      return fixed(() => ({ [settings.name.toLowerCase()]: settings.value.reveal() }));
    case 'basic': {
      const pair = () => Buffer.from(`${settings.username}:${settings.password.reveal()}`).toString('base64');
      return fixed(() => ({ authorization: `Basic ${pair()}` }));
    }
    case 'bearer':
      return fixed(() => ({ authorization: `Bearer ${settings.token.reveal()}` }));
    case 'oauth1':
      return fixed(
        () => ({}),
        (url) => {
          const consumer = { key: settings.key, secret: settings.secret.reveal(), signature: settings.signature };
          return { authorization: signed('GET', url, consumer, clock.now()) };
        },
      );
    case 'oauth2':
      return openTokens(settings, clock, openHttp(settings.tokenUrl, signal, route.timeoutMs, route));
  }
}

interface Token {
  header: string;
  /** By the monotonic clock; null where the server names no lifetime. */
  endsAt: number | null;
}

/** OAuth 2 client credentials (RFC 6749 §4.4): one token for all requests, a new one before it ends or after a 401. */
function openTokens(settings: AuthSettings & { kind: 'oauth2' }, clock: Clock, http: Http): Auth {
  let token: Promise<Token> | null = null;
  let latest: string | null = null;

  const login = (): Promise<Token> => {
    const opening = requestToken();
    token = opening;
    opening.catch(() => {
      if (token === opening) token = null;
    });
    return opening;
  };

  async function requestToken(): Promise<Token> {
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (settings.scope !== undefined) form.set('scope', settings.scope);
    if (settings.audience !== undefined) form.set('audience', settings.audience);
    const secret = settings.clientSecret.reveal();
    const headers: Record<string, string> = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    };
    if (settings.send === 'body') {
      form.set('client_id', settings.clientId);
      form.set('client_secret', secret);
    } else {
      // RFC 6749 §2.3.1: both are form-encoded before they are joined
      const pair = [settings.clientId, secret].map((text) => new URLSearchParams({ x: text }).toString().slice(2));
      headers['authorization'] = `Basic ${Buffer.from(pair.join(':')).toString('base64')}`;
    }
    const asked = clock.monotonic();
    const {
      status,
      headers: said,
      text,
    } = await http.send({
      method: 'POST',
      path: settings.tokenUrl,
      headers,
      body: form.toString(),
    });
    const answer = tokenAnswer.safeParse(parsedJson(text));
    if (status === 200 && answer.success) {
      const { access_token, expires_in } = answer.data;
      const endsAt =
        expires_in === undefined ? null : asked + Math.max(expires_in * 500, expires_in * 1000 - tokenMarginMs);
      hideSecret(access_token);
      latest = `Bearer ${access_token}`;
      return { header: latest, endsAt };
    }
    const place = new URL(settings.tokenUrl);
    const what = `the token endpoint ${place.origin}${place.pathname}`;
    if (status === 200)
      throw new Denied(`${what} gives no bearer token`, { remedy: 'look whether tokenUrl is the one for clients' });
    const words = wordsOf(text);
    const answered = `${what} answered ${status}${words ? `: ${words}` : ''}`;
    if (status === 429 || status >= 500) {
      const delayMs = retryAfterMs(said, clock.now());
      throw new Unavailable(answered, delayMs === undefined ? {} : { delayMs });
    }
    if (status === 404 || status === 405 || (status >= 300 && status < 400))
      throw new Misconfigured(answered, { remedy: 'correct auth.tokenUrl' });
    throw new Denied(answered, { remedy: 'check clientId, clientSecret, scope, and send: header or body' });
  }

  return {
    async headers() {
      let now = await (token ?? login());
      if (now.endsAt !== null && clock.monotonic() >= now.endsAt) now = await login();
      return { authorization: now.header };
    },
    renew(stale) {
      // of several requests that the old token failed, the first one throws it away
      if (stale['authorization'] === latest) token = null;
      return true;
    },
    close: () => http.close(),
  };
}
