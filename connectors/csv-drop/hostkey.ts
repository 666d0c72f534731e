import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Misconfigured } from '../../src/base/errors.ts';

/** Which host keys are trusted. Nothing is trusted on first use: whoever answers first is not the one who should. */
export interface Trust {
  trusts(key: Buffer): boolean;
  /** Key types that are known for the host, so that the server is asked for one of these; null: any. */
  types: readonly string[] | null;
}

/** As `ssh-keygen -l` prints it: SHA256, base64 without padding. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The type that a public key names at its start: `ssh-ed25519`, `ssh-rsa`, … */
export function keyTypeOf(key: Buffer): string {
  return key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}

/** Trust from fingerprints, from a known_hosts file, or from both. Read at each login, so that an edit needs no restart. */
export function trustIn(
  fingerprints: readonly string[] | undefined,
  knownHosts: string | undefined,
  host: string,
  port: number,
): Trust {
  const known = knownHosts === undefined ? { keys: [], revoked: [] } : readKnownHosts(knownHosts, host, port);
  const isIn = (keys: readonly Buffer[], key: Buffer): boolean => keys.some((candidate) => candidate.equals(key));
  return {
    trusts: (key) =>
      !isIn(known.revoked, key) && (isIn(known.keys, key) || (fingerprints?.includes(fingerprintOf(key)) ?? false)),
    types: fingerprints || known.keys.length === 0 ? null : [...new Set(known.keys.map(keyTypeOf))],
  };
}

/** The keys of one host in an OpenSSH known_hosts file. Certificate authorities are not followed. */
function readKnownHosts(file: string, host: string, port: number): { keys: Buffer[]; revoked: Buffer[] } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Misconfigured(`knownHosts ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const name = (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
  const keys: Buffer[] = [];
  const revoked: Buffer[] = [];
  for (const line of text.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [hosts, , key] = fields;
    if (!hosts || hosts.startsWith('#') || !key || marker === '@cert-authority') continue;
    const blob = Buffer.from(key, 'base64');
    if (blob.length < 8 || !isFor(hosts, name)) continue;
    (marker === '@revoked' ? revoked : keys).push(blob);
  }
  return { keys, revoked };
}

/** Whether the host field of a line (a hash, or patterns with `*`, `?` and `!`) stands for `name`. */
function isFor(hosts: string, name: string): boolean {
  const [, , salt, hash] = hosts.split('|');
  if (hosts.startsWith('|1|') && salt && hash)
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest().equals(Buffer.from(hash, 'base64'));
  let found = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    const refused = pattern.startsWith('!');
    const source = pattern.slice(refused ? 1 : 0).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    if (!new RegExp(`^${source.replaceAll('\\*', '.*').replaceAll('\\?', '.')}$`).test(name)) continue;
    if (refused) return false;
    found = true;
  }
  return found;
}
