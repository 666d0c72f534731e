import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/**
 * Fresh certificates as PEM. Written out in DER here, so that tests need no openssl and no private key lies in the
 * repository.
 */

/** A private key and its certificate. */
export interface Certified {
  key: string;
  cert: string;
}

/** A certificate for 127.0.0.1 that nobody has signed but itself. */
export function selfSigned(): Certified {
  return certify({ name: 'rosterd test', hosts: ['127.0.0.1'] });
}

/** An authority of one's own; `issue` gives certificates for names and addresses of servers. */
export function authority(): { cert: string; issue(...hosts: string[]): Certified } {
  const name = `rosterd test authority ${randomBytes(4).toString('hex')}`;
  const own = certify({ name, isAuthority: true });
  const issuer = { name, key: createPrivateKey(own.key) };
  return { cert: own.cert, issue: (...hosts) => certify({ name: hosts[0]!, hosts, issuer }) };
}

interface Wanted {
  name: string;
  hosts?: readonly string[];
  isAuthority?: boolean;
  /** Left out: signed by its own key. */
  issuer?: { name: string; key: KeyObject };
}

function certify({ name, hosts = [], isAuthority = false, issuer }: Wanted): Certified {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
  const times = [Date.now() - 3_600_000, Date.now() + 86_400_000].map((time) =>
    // 2026-01-15T02:15:00.000Z is written 20260115021500Z
    der(0x18, Buffer.from(new Date(time).toISOString().replace(/[-:T]|\.\d+/g, ''))),
  );
  const extensions = [
    ...(hosts.length ? [sequence(oid('551d11'), der(0x04, sequence(...hosts.map(alternative))))] : []),
    // critical: it may sign others
    ...(isAuthority ? [sequence(oid('551d13'), yes, der(0x04, sequence(yes)))] : []),
  ];
  const facts = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    named(issuer?.name ?? name),
    sequence(...times),
    named(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', facts, issuer?.key ?? privateKey);
  const certificate = sequence(facts, ecdsaWithSha256, der(0x03, Buffer.of(0), signature));
  const base64 = certificate.toString('base64').replace(/(.{64})(?=.)/g, '$1\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

/** Tag, length, content (X.690). */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const hex = content.length.toString(16);
  const long = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  const length = content.length < 128 ? long : Buffer.concat([Buffer.of(0x80 | long.length), long]);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const yes = der(0x01, Buffer.of(0xff));
const named = (name: string): Buffer => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))));
/** An address as four bytes, or a name. */
const alternative = (host: string): Buffer =>
  isIP(host) === 4 ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host));
