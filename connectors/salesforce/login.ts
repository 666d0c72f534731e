import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { parsedJson } from '../../src/base/json.ts';
import { hideSecret } from '../../src/base/redact.ts';
import type { HttpAnswer } from '../../src/connector/http.ts';
import type { TargetContext } from '../../src/connector/target.ts';
import { answerDelay, excerpt, isPassing } from './answer.ts';
import type { SalesforceSettings } from './schema.ts';
import { tokenAnswer, tokenRefusal } from './wire.ts';

/** A session: what requests are sent with, and whose it is (18 characters; null where the answer did not say). */
export interface Session {
  token: string;
  user: string | null;
}

/** Refusals of the token endpoint that pass: a busy server, and a throttle on logins (3600 an hour and user). */
const passingRefusal = /^unknown_error|server_error|temporarily_unavailable|rate exceeded/i;

/** How long an assertion is good for. Salesforce takes up to three minutes; one of them is left for clocks that differ. */
const assertionSeconds = 120;

const audiences = { login: 'https://login.salesforce.com', test: 'https://test.salesforce.com' };

/** Opens a session by the flow that the settings have: client credentials or JWT bearer, on the My Domain host. */
export async function requestSession(
  settings: SalesforceSettings,
  { http, clock, log, target }: TargetContext,
): Promise<Session> {
  const answer = await http.send({
    method: 'POST',
    path: '/services/oauth2/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams(grantOf(settings, clock.now())).toString(),
  });
  const json = parsedJson(answer.text);
  const token = tokenAnswer.safeParse(json);
  if (answer.status !== 200 || !token.success) throw loginError(settings, answer, json, clock.now());
  const instance = new URL(token.data.instance_url).origin;
  const configured = new URL(settings.url).origin;
  if (instance !== configured)
    throw new Denied(`the login at ${configured} opened a session on ${instance}, where nothing is sent`, {
      remedy: `if ${instance} is your org, write it as the url of the target`,
    });
  hideSecret(token.data.access_token);
  log.debug({ event: 'salesforce.login', target }, `${target}: logged in to Salesforce`);
  return { token: token.data.access_token, user: /\/(005\w{12,15})$/.exec(token.data.id ?? '')?.[1] ?? null };
}

function grantOf(settings: SalesforceSettings, now: Date): Record<string, string> {
  if (settings.jwt)
    return { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: assertion(settings, now) };
  return {
    ...{ grant_type: 'client_credentials', client_id: settings.clientId },
    client_secret: settings.clientSecret!.reveal(),
  };
}

/**
 * A fresh JWT for every login, RS256 (RFC 7515, RFC 7523). Salesforce refuses one that it has seen: `jti` makes two of the
 * same second differ. node:crypto needs a library no more than this does: the key and its passphrase are its own business.
 */
export function assertion({ clientId, jwt }: Pick<SalesforceSettings, 'clientId' | 'jwt'>, now: Date): string {
  const { user, key, passphrase, audience } = jwt!;
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({
    ...{ iss: clientId, sub: user, aud: audience in audiences ? audiences[audience as 'login'] : audience },
    ...{ exp: Math.floor(now.getTime() / 1000) + assertionSeconds, jti: randomUUID() },
  })}`;
  const pem = key.reveal();
  const secretPhrase = passphrase?.reveal();
  try {
    const privateKey = createPrivateKey({ key: pem, ...(secretPhrase ? { passphrase: secretPhrase } : {}) });
    if (privateKey.asymmetricKeyType !== 'rsa') throw new Error(`it is a key for ${privateKey.asymmetricKeyType}`);
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
  } catch (cause) {
    throw new Misconfigured(`the private key ${key} cannot sign: ${(cause as Error).message}`, {
      remedy: 'jwt.key is an RSA key in PEM form; jwt.passphrase is its passphrase, if it has one',
    });
  }
}

function loginError(settings: SalesforceSettings, answer: HttpAnswer, json: unknown, now: Date): Error {
  const refusal = tokenRefusal.safeParse(json);
  if (refusal.success) {
    const { error, error_description: description } = refusal.data;
    const words = `${error}: ${description}`;
    if (passingRefusal.test(words) || isPassing(answer.status))
      return new Unavailable(`Salesforce cannot log in now (${words})`, answerDelay(answer, now));
    return new Denied(`Salesforce refused the login (${words})`, {
      remedy: remedyOf(error, description, settings.jwt !== undefined),
    });
  }
  if (answer.status === 404 || (answer.status >= 300 && answer.status < 400))
    return new Misconfigured(`${settings.url} has no token endpoint (HTTP ${answer.status})`, {
      remedy: 'url must be the My Domain of the org',
    });
  if (answer.status === 401 || answer.status === 403)
    return new Denied(`Salesforce refused the login (HTTP ${answer.status})`);
  return new Unavailable(
    `Salesforce's token endpoint answered HTTP ${answer.status}: ${excerpt(answer.text)}`,
    answerDelay(answer, now),
  );
}

/** What to do about a refusal, by the words that Salesforce has for it. */
function remedyOf(error: string, description: string, jwt: boolean): string {
  const words = `${error} ${description}`;
  const known: [RegExp, string][] = [
    [
      /hasn't approved/i,
      'let administrators pre-authorize the connected app (Admin approved users are pre-authorized), and give the user one of its permission sets',
    ],
    [/no client credentials user/i, 'name a run-as user in the client credentials flow of the connected app'],
    [/client identifier|invalid_client_id/i, 'clientId must be the consumer key of the connected app in this org'],
    [/^invalid_client/i, 'check clientSecret'],
    [/audience/i, 'jwt.audience is login for production and test for sandboxes'],
    [/expired|skew|replay|already/i, 'check the clock of this machine: an assertion is good for two minutes'],
    [/unsupported_grant_type/i, `allow the ${jwt ? 'JWT bearer' : 'client credentials'} flow in the connected app`],
    [/user/i, jwt ? 'jwt.user must be an active user of this org' : 'check the run-as user of the connected app'],
    [/assertion|signature/i, 'jwt.key must belong to the certificate of the connected app'],
  ];
  const found = known.find(([pattern]) => pattern.test(words))?.[1];
  if (found) return found;
  return jwt
    ? 'check clientId, jwt.user, jwt.audience, and that jwt.key belongs to the certificate of the connected app'
    : 'check clientId and clientSecret, and that the connected app has the client credentials flow and a user';
}
