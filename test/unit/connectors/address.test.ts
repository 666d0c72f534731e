import { describe, expect, test } from 'vitest';
import { targetConnectors } from '../../../connectors/index.ts';

/** How each kind of target says which platform it is. */

const secret = { env: 'HOME' };
const written: Record<string, object> = {
  canvas: { url: 'https://canvas.example.edu', account: 1, token: secret },
  salesforce: { url: 'https://example.my.salesforce.com', clientId: 'c', clientSecret: secret },
  peoplesoft: { url: 'https://campus.example.edu', auth: { bearer: secret } },
};

describe.each(targetConnectors.map((connector) => [connector.kind, connector] as const))('%s', (kind, connector) => {
  const base = written[kind]! as { url: string };
  const addressOf = (more: object): string => connector.address(connector.settings.parse({ ...base, ...more }));

  test('an address that is written otherwise is the same', () => {
    const { url } = base;
    expect(addressOf({})).toContain(url);
    for (const other of [`${url}/`, `${url}:443`, url.replace('https', 'HTTPS').toUpperCase(), `${url}?x=1#y`])
      expect(addressOf({ url: other }), other).toBe(addressOf({}));
  });

  test('another host, port, scheme or path is another one', () => {
    const { url } = base;
    const others = [
      url.replace('example', 'exampel'),
      `${url}:8443`,
      `${url}/test`,
      'http://127.0.0.1:9',
      'http://localhost:9',
    ];
    const all = [url, ...others].map((one) => addressOf({ url: one }));
    expect(new Set(all).size).toBe(all.length);
  });

  test('who logs in is not said, and counts for nothing', () => {
    expect(addressOf({ url: base.url.replace('//', '//user:hidden@') })).toBe(addressOf({}));
  });

  test('what says how is sent counts for nothing', () => {
    expect(addressOf({ batch: 7 })).toBe(addressOf({}));
  });
});

test('behind one address there may be several: accounts of Canvas, nodes and gateways of PeopleSoft', () => {
  const all = (kind: string, ...more: object[]): Set<string> => {
    const connector = targetConnectors.find((one) => one.kind === kind)!;
    return new Set(
      [{}, ...more].map((one) => connector.address(connector.settings.parse({ ...written[kind], ...one }))),
    );
  };
  expect(all('canvas', { account: 2 }, { account: 'sis_account_id:main' })).toHaveLength(3);
  expect(all('peoplesoft', { node: 'PSFT_HR' }, { gateway: '/PSIGW2' })).toHaveLength(3);
});
