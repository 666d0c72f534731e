import { readFile } from 'node:fs/promises';
import { BindRequest, ExtendedRequest } from 'ldapts';
import { Denied, Misconfigured } from '../../src/base/errors.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { Connection } from './connection.ts';
import { loginRefusal } from './refusal.ts';
import type { LdapSettings } from './schema.ts';

/** Connects, makes the connection secure, and logs in. Who answers has been proved before the password is sent. */
export async function logIn(settings: LdapSettings, context: SourceContext): Promise<Connection> {
  const { url: place, connectTimeout } = settings;
  const trusted = settings.ca === undefined ? undefined : await certificates(settings.ca);
  // read before the server is bothered: a secret that is missing is a person's to mend
  const password = settings.password?.reveal();
  const over = new AbortController();
  const late = context.clock.wait(connectTimeout, AbortSignal.any([over.signal, context.signal]));
  late.catch(() => {});
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(place, trusted, context, late);
    if (settings.startTLS) {
      const agreed = await connection.ask(new ExtendedRequest({ messageId: 0, oid: '1.3.6.1.4.1.1466.20037' }));
      if (agreed.status !== 0)
        throw new Denied(`${place.url} does not do StartTLS (code ${agreed.status})`, { remedy: 'use ldaps://' });
      await connection.secure(trusted);
    }
    if (settings.bindDN !== undefined) {
      const result = await connection.ask(new BindRequest({ messageId: 0, dn: settings.bindDN, password }));
      if (result.status !== 0) throw loginRefusal(result, place.url, settings.bindDN);
    }
    connection.watch(settings.timeout, context);
    return connection;
  } catch (error) {
    connection?.close();
    throw error;
  } finally {
    over.abort();
  }
}

async function certificates(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new Misconfigured(`the file ca: ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new Misconfigured(`the file ca: ${file} has no certificate in PEM`, {
      remedy: 'convert it: openssl x509 -inform der -in FILE -out FILE.pem',
    });
  return text;
}
