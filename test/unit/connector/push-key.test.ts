import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { isPushKey, makePushKey } from '../../../src/connector/push-key.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('a key is random, long, and known by its hash, among others', () => {
  const [one, two] = [makePushKey(), makePushKey()];
  expect(one.key).toMatch(/^rosterd_[\w-]{43}$/);
  expect(one.sha256).toBe(sha256(one.key));
  expect(one.key).not.toBe(two.key);
  expect(isPushKey(one.key, [two.sha256, one.sha256])).toBe(true);
  expect(isPushKey(one.key, [two.sha256])).toBe(false);
  expect(isPushKey(one.key, [])).toBe(false);
});

test('a word is no key, even where its hash is configured: it could be guessed from the hash', () => {
  for (const word of ['', 'secret', `rosterd_${'x'.repeat(42)}`]) expect(isPushKey(word, [sha256(word)])).toBe(false);
});
