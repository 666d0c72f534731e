import { z } from 'zod';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { parsedJson } from '../../src/base/json.ts';
import { hideSecret } from '../../src/base/redact.ts';
import { openHttp, retryAfterMs } from '../../src/connector/http.ts';
import type { TargetContext } from '../../src/connector/target.ts';
import type { Credentials } from './request.ts';
import type { PeoplesoftSettings } from './schema.ts';

/**
 * Logging in. PeopleSoft gives out no tokens: it takes an OPRID with its password, or the token of an identity provider
 * that it trusts.
 */
export interface Login {
  /** Secrets are read anew each time, so that a rotated one is used. */
  credentials(): Promise<Credentials>;
  /** After a 401: true when other credentials than these can be had. */
  renew(refused: Credentials): boolean;
  close(): Promise<void>;
}

const reveal: Credentials['reveal'] = (secret) => secret.reveal();

/** Opens the login of a target. Nothing is asked for yet. */
export function openLogin({ auth }: PeoplesoftSettings, context: TargetContext): Login {
  if ('tokenUrl' in auth) return openTokens(auth, context);
  return {
    async credentials() {
      if ('bearer' in auth) return { authorization: `Bearer ${auth.bearer.reveal()}`, oprid: null, reveal };
      const oprid = { username: auth.username, password: auth.password.reveal() };
      const pair = Buffer.from(`${oprid.username}:${oprid.password}`, 'utf8').toString('base64');
      return { authorization: `Basic ${pair}`, oprid, reveal };
    },
    renew: () => false,
    async close() {},
  };
}

type Client = Extract<PeoplesoftSettings['auth'], { tokenUrl: string }>;

const tokenAnswer = z.looseObject({
  access_token: z.string().min(1),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.coerce.number().positive().optional(),
});

/** A token is given up so long before its end. */
const marginMs = 30_000;

/** The request for a token (RFC 6749 §4.4), its secret in the form. */
export function tokenRequest(auth: Client, secret: string): { headers: Record<string, string>; body: string } {
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: auth.clientId });
  if (auth.scope !== undefined) form.set('scope', auth.scope);
  if (auth.audience !== undefined) form.set('audience', auth.audience);
  return {
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: `${form}&client_secret=${secret}`,
  };
}

/** One token for all requests; a new one before it ends, or once a 401 has refused it. */
function openTokens(auth: Client, { clock, signal }: TargetContext): Login {
  const http = openHttp(auth.tokenUrl, signal);
  let token: Promise<{ credentials: Credentials; endsAt: number }> | null = null;
  let current: Credentials | null = null;

  async function ask(): Promise<{ credentials: Credentials; endsAt: number }> {
    const asked = clock.monotonic();
    const request = tokenRequest(auth, encodeURIComponent(auth.clientSecret.reveal()));
    const { status, headers, text } = await http.send({ method: 'POST', path: auth.tokenUrl, ...request });
    const place = new URL(auth.tokenUrl);
    const what = `the token endpoint ${place.origin}${place.pathname} answered ${status}`;
    if (status === 429 || status >= 500) {
      const delayMs = retryAfterMs(headers, clock.now());
      throw new Unavailable(what, delayMs === undefined ? {} : { delayMs });
    }
    if (status === 404 || (status >= 300 && status < 400))
      throw new Misconfigured(what, { remedy: 'correct auth.tokenUrl' });
    const answer = tokenAnswer.safeParse(parsedJson(text));
    if (status !== 200 || !answer.success)
      throw new Denied(status === 200 ? `${what} without a bearer token` : what, {
        remedy: 'check clientId, clientSecret, scope and audience',
      });
    const { access_token, expires_in = Number.POSITIVE_INFINITY } = answer.data;
    hideSecret(access_token);
    current = { authorization: `Bearer ${access_token}`, oprid: null, reveal };
    return { credentials: current, endsAt: asked + Math.max(expires_in * 500, expires_in * 1000 - marginMs) };
  }

  const login = (): NonNullable<typeof token> => {
    const opening = ask();
    token = opening;
    opening.catch(() => {
      if (token === opening) token = null;
    });
    return opening;
  };

  return {
    async credentials() {
      const held = token ?? login();
      const { credentials, endsAt } = await held;
      if (clock.monotonic() < endsAt) return credentials;
      // of several requests that find it over, the first one asks for the next
      return (await (token === held ? login() : (token ?? login()))).credentials;
    },
    renew(refused) {
      if (refused === current) token = null;
      return true;
    },
    close: () => http.close(),
  };
}
