import { createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import { z } from 'zod';

/** Logins of the stub: client credentials, and JWT bearer of apps that are registered with it. */

/** Body of `POST /_stub/apps`: an app that logs in by JWT, with the public key (or certificate, PEM) and its users. */
export const appBody = z.strictObject({
  clientId: z.string(),
  publicKey: z.string(),
  users: z.array(z.string()),
  audience: z.string().default('https://login.salesforce.com'),
});

interface App {
  key: KeyObject;
  users: readonly string[];
  audience: string;
}

/** Error and description of a refused login. The words after `assertion` are the stub's own: Salesforce's are not known. */
export type Refusal = [error: string, description: string];

const claims = z.object({ iss: z.string(), sub: z.string(), aud: z.string(), exp: z.number() });

/** Id of the user that all sessions are of. */
export const stubUser = '005000000000001AAA';

/** The open sessions of the org. */
export class Sessions {
  readonly #tokens = new Set<string>();
  readonly #apps = new Map<string, App>();
  readonly #used = new Set<string>();

  register({ clientId, publicKey, users, audience }: z.infer<typeof appBody>): void {
    this.#apps.set(clientId, { key: createPublicKey(publicKey), users, audience });
  }

  has(token: string | undefined): boolean {
    return token !== undefined && this.#tokens.has(token);
  }

  /** Ends all sessions and says how many there were. */
  expire(): number {
    const expired = this.#tokens.size;
    this.#tokens.clear();
    return expired;
  }

  /** A new session, or why there is none. Any pair of id and secret will do; a JWT has to be right. */
  open(form: URLSearchParams, authorization: string | undefined): { token: string } | Refusal {
    const grant = form.get('grant_type');
    const refusal =
      grant === 'client_credentials'
        ? credentialsRefusal(form, authorization)
        : grant === 'urn:ietf:params:oauth:grant-type:jwt-bearer'
          ? this.#assertionRefusal(form.get('assertion') ?? '')
          : (['unsupported_grant_type', 'grant type not supported'] satisfies Refusal);
    if (refusal) return refusal;
    const token = `00DStub!${randomBytes(24).toString('base64url')}`;
    this.#tokens.add(token);
    return { token };
  }

  #assertionRefusal(assertion: string): Refusal | null {
    const [head = '', body = '', signature = '', ...more] = assertion.split('.');
    const said = claims.safeParse(json(body));
    if (!said.success || more.length) return ['invalid_grant', 'invalid assertion'];
    const { iss, sub, aud, exp } = said.data;
    const app = this.#apps.get(iss);
    if (!app) return ['invalid_client_id', 'client identifier invalid'];
    const signed = Buffer.from(`${head}.${body}`);
    if (
      (json(head) as { alg?: string }).alg !== 'RS256' ||
      !verify('sha256', signed, app.key, Buffer.from(signature, 'base64url'))
    )
      return ['invalid_grant', 'invalid assertion'];
    if (aud !== app.audience) return ['invalid_grant', 'audience is invalid'];
    const now = Date.now() / 1000;
    if (exp <= now) return ['invalid_grant', 'assertion expired'];
    if (exp > now + 180) return ['invalid_grant', 'assertion expires in more than three minutes: skewed'];
    if (this.#used.has(assertion)) return ['invalid_grant', 'assertion replayed'];
    this.#used.add(assertion);
    return app.users.includes(sub) ? null : ['invalid_grant', "user hasn't approved this consumer"];
  }
}

function credentialsRefusal(form: URLSearchParams, authorization: string | undefined): Refusal | null {
  const basic = /^Basic (.+)$/.exec(authorization ?? '')?.[1];
  const pair = basic === undefined ? [] : Buffer.from(basic, 'base64').toString('utf8').split(':');
  if (!(form.get('client_id') || pair[0])) return ['invalid_client_id', 'client identifier invalid'];
  if (!(form.get('client_secret') || pair[1])) return ['invalid_client', 'invalid client credentials'];
  return null;
}

function json(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    return {};
  }
}
