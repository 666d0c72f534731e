import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { push } from '../../../connectors/push/connector.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { SourceConfig } from '../../../src/configure/config.ts';
import type { Inbox } from '../../../src/connector/inbox.ts';
import { openListener } from '../../../src/pull/listen.ts';
import { temporaryFolder } from '../../support/drop.ts';
import { freePort } from '../../support/free-port.ts';
import { key, sha256, student } from '../../support/pushing.ts';
import { configOf, sourceOf } from '../../support/service.ts';

/** What the listener tells senders, and whom it wakes. */

/** Where `sis` is pushed; `woken`: how often somebody was told of a push. */
async function listening(connector: SourceConfig['connector']) {
  const settings = push.settings.parse({ key: { sha256: sha256(key) } });
  const source = sourceOf('sis', null, { connector, settings });
  const listen = { address: '127.0.0.1', port: await freePort(), tls: null, behindProxy: false, timeoutMs: 60_000 };
  const config = configOf([source], { stateDir: join(temporaryFolder(), 'var'), listen });
  const woken: string[] = [];
  const received = ({ name }: SourceConfig): void => void woken.push(name);
  const listener = await openListener(config, listen, { clock: systemClock, log: silentLog, received });
  onTestFinished(() => listener.close(0, AbortSignal.abort()));
  const send = async (): Promise<[number, Record<string, unknown>]> => {
    const response = await fetch(`${listener.url}/api/v1/sources/sis/students`, {
      method: 'POST',
      headers: { api_key: key, 'content-type': 'application/json', 'idempotency-key': 'term-1' },
      body: JSON.stringify({ data: [student(1)] }),
    });
    return [response.status, (await response.json()) as Record<string, unknown>];
  };
  return { send, woken };
}

test('a repeat wakes as well: whoever was woken by the first may not have come to it', async () => {
  const { send, woken } = await listening(push as SourceConfig['connector']);
  expect(await send()).toEqual([202, expect.objectContaining({ repeated: false })]);
  expect(await send()).toEqual([202, expect.objectContaining({ repeated: true })]);
  expect(woken).toEqual(['sis', 'sis']);
});

test.each(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'])('%s: the sender is told to come back', async (code) => {
  const inbox = (...to: Parameters<NonNullable<typeof push.inbox>>): Inbox => ({
    ...push.inbox!(...to),
    receive: () => Promise.reject(Object.assign(new Error(code), { code })),
  });
  const { send, woken } = await listening({ ...push, inbox } as SourceConfig['connector']);
  expect(await send()).toEqual([503, { error: 'there is no room for it now' }]);
  expect(woken).toEqual([]);
});
