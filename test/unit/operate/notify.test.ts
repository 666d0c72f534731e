import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { openLog, silentLog } from '../../../src/base/log.ts';
import { openNotifier } from '../../../src/operate/notify.ts';
import { openMailbox } from '../../support/systemd/mailbox.ts';

/** What systemd hears, over a real datagram socket of the test's own. */

function listening(name?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-notify-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const address = name ?? join(folder, 'notify');
  const mailbox = openMailbox(address);
  onTestFinished(() => mailbox.close());
  const open = (env: NodeJS.ProcessEnv = {}) =>
    openNotifier({ clock: systemClock, log: silentLog, env: { NOTIFY_SOCKET: address, ...env } });
  return { mailbox, open };
}

describe('notify', () => {
  test.each([
    ['a path', undefined],
    ['a name in the abstract space', `@rosterd-test-${process.pid}`],
  ])('the life of a service, in order, at %s', async (_, name) => {
    const { mailbox, open } = listening(name);
    const notifier = open();
    notifier.status('opening the store');
    notifier.ready('running');
    notifier.status('running');
    notifier.reloading();
    notifier.ready('running');
    notifier.stopping('stopping after the batch in hand', 90_000);
    await notifier.close();
    notifier.status('never heard');
    expect(mailbox.read()).toEqual([
      'STATUS=opening the store',
      'READY=1\nSTATUS=running',
      'RELOADING=1\nSTATUS=reloading the configuration',
      'READY=1\nSTATUS=running',
      'STOPPING=1\nSTATUS=stopping after the batch in hand\nEXTEND_TIMEOUT_USEC=120000000',
    ]);
  });

  test('a status is one line, whatever is in it', async () => {
    const { mailbox, open } = listening();
    const notifier = open();
    notifier.status('sis: a file\nREADY=1');
    await notifier.close();
    expect(mailbox.read()).toEqual(['STATUS=sis: a file READY=1']);
  });

  test('the watchdog is fed while work makes progress, and not a moment longer', async () => {
    const { mailbox, open } = listening();
    const notifier = open({ WATCHDOG_USEC: '20000', WATCHDOG_PID: String(process.pid) });
    let asked = 0;
    const done = Promise.withResolvers<void>();
    notifier.watch(() => {
      asked += 1;
      if (asked === 6) done.resolve();
      return asked <= 3;
    });
    await done.promise;
    await notifier.close();
    expect(mailbox.read()).toEqual(['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  });

  test('the watchdog of another process is not fed', async () => {
    const { mailbox, open } = listening();
    const notifier = open({ WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' });
    notifier.watch(() => true);
    await notifier.close();
    expect(mailbox.read()).toEqual([]);
  });

  test('a systemd that has no moment is waited for; nothing is lost and nothing changes places', async () => {
    const { mailbox, open } = listening();
    const notifier = open();
    // more than its queue holds, on most machines
    const said = Array.from({ length: 60 }, (_, n) => `READY=1\nSTATUS=${n}`);
    for (const line of said) notifier.ready(line.slice('READY=1\nSTATUS='.length));
    const heard: string[] = [];
    const closed = notifier.close().then(() => true);
    while (heard.length < said.length) {
      heard.push(...mailbox.read());
      await Promise.race([closed, new Promise((resolve) => setImmediate(resolve))]);
    }
    expect(heard).toEqual(said);
    expect(await closed).toBe(true);
  });

  test('where nobody listens nothing happens; where nobody is there any more, the log says so once', async () => {
    const lines: string[] = [];
    const log = openLog({ terminal: false, journal: false, to: { write: (line: string) => void lines.push(line) } });
    const silent = openNotifier({ clock: systemClock, log, env: {} });
    silent.ready('running');
    await silent.close();
    expect(lines).toEqual([]);
    const env = { NOTIFY_SOCKET: join(tmpdir(), 'rosterd-no-such-socket') };
    const notifier = openNotifier({ clock: systemClock, log, env });
    notifier.ready('running');
    notifier.stopping('stopping', 1_000);
    await notifier.close();
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(['service.unheard']);
  });
});
