import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Keys of those who push. They are random, 256 bits, so one SHA-256 is as good as a slow hash, and cheap enough that a
 * flood of wrong keys costs nothing. A key of any other form is refused unread: the hash of a password would not do.
 */

const form = /^rosterd_[A-Za-z0-9_-]{43}$/;

/** A new key, and the hash of it that the configuration has. */
export function makePushKey(): { key: string; sha256: string } {
  const key = `rosterd_${randomBytes(32).toString('base64url')}`;
  return { key, sha256: hash(key).toString('hex') };
}

/** True when the key is the one of a hash. Every wrong key takes as long. */
export function isPushKey(key: string, sha256: readonly string[]): boolean {
  const given = hash(key);
  let found = false;
  for (const one of sha256) if (timingSafeEqual(given, Buffer.from(one, 'hex'))) found = true;
  return found && form.test(key);
}

function hash(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
