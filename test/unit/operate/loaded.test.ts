import { expect, test } from 'vitest';
import { otherText } from '../../../src/operate/loaded.ts';

const given = { file: '/etc/new.yaml', digest: 'a'.repeat(64) };

test('a daemon that does not say what it has loaded is asked as before', () => {
  expect(otherText({ config: '/etc/rosterd.yaml' }, given, '/run/s')).toBeNull();
});

test('the same text is the same configuration, whatever it is called; another one is not, and both are named', () => {
  const loaded = { config: '/etc/rosterd.yaml', configDigest: given.digest, reloadRefused: null };
  expect(otherText(loaded, given, '/run/s')).toBeNull();
  const error = otherText({ ...loaded, configDigest: 'b'.repeat(64) }, given, '/run/s')!;
  expect(error.line()).toMatch(/^\/etc\/new\.yaml: .*\/run\/s runs \/etc\/rosterd\.yaml/);
});
