import { expect, test } from 'vitest';
import { signatureOf, signed } from '../../../../connectors/sis-http/oauth1.ts';

test('signs as RFC 5849 and its examples do', () => {
  // RFC 5849 §1.2: a photo of the user, with a token
  const photo = new URL('http://photos.example.net/photos?file=vacation.jpg&size=original');
  const parameters = [
    ['oauth_consumer_key', 'dpf43f3p2l4k3l03'],
    ['oauth_token', 'nnch734d00sl2jdk'],
    ['oauth_signature_method', 'HMAC-SHA1'],
    ['oauth_timestamp', '137131202'],
    ['oauth_nonce', 'chapoH'],
  ] as const;
  const consumer = { key: 'dpf43f3p2l4k3l03', secret: 'kd94hf93k423kf44', tokenSecret: 'pfkkdhi9sl3r4s00' };
  expect(signatureOf('GET', photo, parameters, { ...consumer, signature: 'HMAC-SHA1' })).toBe(
    'MdpQcU8iPSUjWoN/UDMsK2sui9I=',
  );
});

test('signs what is awkward to encode, and each request anew', () => {
  const url = new URL(
    "https://sis.example.edu/users?filter=dateLastModified%3E%3D'2024-01-01'%20AND%20a%3D'b*'&limit=5",
  );
  const consumer = { key: 'k', secret: 's&%', signature: 'HMAC-SHA256' } as const;
  const headers = [1, 2].map(() => signed('GET', url, consumer, new Date(1_700_000_000_000)));
  expect(headers[0]).toMatch(
    /^OAuth oauth_consumer_key="k", oauth_nonce="[0-9a-f]{32}", oauth_signature_method="HMAC-SHA256", oauth_timestamp="1700000000", oauth_version="1.0", oauth_signature="[^" ]+"$/,
  );
  expect(headers[0]).not.toBe(headers[1]);
});
