import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { fingerprintOf, keyTypeOf, trustIn } from '../../../../connectors/csv-drop/hostkey.ts';
import { drop, temporaryFolder } from '../../../support/drop.ts';

/** A public key blob: the type, then anything. */
function keyOf(type: string, rest: string): Buffer {
  const blob = Buffer.alloc(4 + type.length + rest.length);
  blob.writeUInt32BE(type.length);
  blob.write(type + rest, 4, 'latin1');
  return blob;
}
const ed = keyOf('ssh-ed25519', 'one');
const rsa = keyOf('ssh-rsa', 'two');
const line = (hosts: string, key: Buffer): string => `${hosts} ${keyTypeOf(key)} ${key.toString('base64')} comment\n`;
const known = (content: string): string => drop(temporaryFolder(), 'known_hosts', content);

test('fingerprints are the ones that ssh-keygen prints', () => {
  expect(fingerprintOf(Buffer.alloc(0))).toBe('SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU');
});

test('a key is trusted by its fingerprint, and no other key is', () => {
  const trust = trustIn([fingerprintOf(ed)], undefined, 'h', 22);
  expect([trust.trusts(ed), trust.trusts(rsa), trust.types]).toEqual([true, false, null]);
});

test.each([
  ['plain', 'h', 22, 'h'],
  ['in a list', 'h', 22, 'x,h'],
  ['in capitals', 'H', 22, 'h'],
  ['with a port', 'h', 2222, '[h]:2222'],
  ['with wildcards', 'a.example.edu', 22, '*.example.e?u'],
])('known_hosts, %s', (_name, host, port, hosts) => {
  const trust = trustIn(undefined, known(`# comment\n\n${line('other', rsa)}${line(hosts, ed)}`), host, port);
  expect([trust.trusts(ed), trust.trusts(rsa), trust.types]).toEqual([true, false, ['ssh-ed25519']]);
});

test('known_hosts with hashed names', () => {
  const salt = Buffer.from('0123456789abcdef0123');
  const hash = createHmac('sha1', salt).update('[h]:2222').digest('base64');
  const file = known(line(`|1|${salt.toString('base64')}|${hash}`, ed));
  expect(trustIn(undefined, file, 'h', 2222).trusts(ed)).toBe(true);
  expect(trustIn(undefined, file, 'h', 22).trusts(ed)).toBe(false);
  expect(trustIn(undefined, file, 'i', 2222).trusts(ed)).toBe(false);
});

test('negated names, other ports, revoked keys and authorities give no trust', () => {
  expect(trustIn(undefined, known(line('*,!h', ed)), 'h', 22).trusts(ed)).toBe(false);
  expect(trustIn(undefined, known(line('h', ed)), 'h', 2222).trusts(ed)).toBe(false);
  expect(trustIn(undefined, known(`@cert-authority ${line('h', ed)}`), 'h', 22).trusts(ed)).toBe(false);
  const revoked = known(`${line('h', ed)}@revoked ${line('*', ed)}`);
  expect(trustIn(undefined, revoked, 'h', 22).trusts(ed)).toBe(false);
  expect(trustIn([fingerprintOf(ed)], revoked, 'h', 22).trusts(ed)).toBe(false);
});

test('a known_hosts file that cannot be read is a configuration error', () => {
  expect(() => trustIn(undefined, '/nowhere/known_hosts', 'h', 22)).toThrow(/\/nowhere\/known_hosts cannot be read/);
});
