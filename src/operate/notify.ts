import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/**
 * What the service tells systemd (sd_notify(3)): when it is ready, what it does, that it is still of use. Where nobody
 * listens, all of this does nothing.
 */
export interface Notifier {
  /** Everything is connected, or the reload is over. Only now dependent units start, and `systemctl start` comes back. */
  ready(status: string): void;
  /** One line for `systemctl status`, in plain words. The same text again costs nothing. */
  status(text: string): void;
  /** A reload begins; `ready` ends it, also one that was refused. */
  reloading(): void;
  /** The first word of a stop. `withinMs`: how long it may take by itself, before systemd may kill. */
  stopping(status: string, withinMs: number): void;
  /** Feeds the watchdog at half its interval, for as long as this says that work makes progress. */
  watch(healthy: () => boolean): void;
  /** Waits for what has been said to get there; nothing is said after it. */
  close(): Promise<void>;
}

/** Where the notifier gets its surroundings from. */
export interface NotifyWork {
  clock: Clock;
  log: Log;
  env?: NodeJS.ProcessEnv;
}

/** A full queue is tried again so often; it empties as soon as systemd has a moment. */
const attempts = 50;
const againMs = 100;
/** What a stop may need beyond its time, to close what it has opened. */
const closingMs = 30_000;

/** Opens the way to the systemd that started this process, if one did. */
export function openNotifier({ clock, log, env = process.env }: NotifyWork): Notifier {
  const listened = Boolean(env['NOTIFY_SOCKET']);
  const closed = new AbortController();
  const waiting: string[][] = [];
  let sending: Promise<void> | null = null;
  let socket: Datagrams | null = null;
  let told = '';
  let complained = false;

  const sendAll = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift())
      try {
        socket ??= await openDatagrams(env['NOTIFY_SOCKET']!);
        await deliver(socket, next.join('\n'), clock);
      } catch (error) {
        if (!complained) log.warn({ event: 'service.unheard', reason: messageOf(error) }, 'systemd cannot be told');
        complained = true;
      }
    sending = null;
  };
  const say = (...lines: string[]): void => {
    if (!listened || closed.signal.aborted) return;
    waiting.push(lines);
    sending ??= sendAll();
  };
  // a second line would be another message
  const statusLine = (text: string): string => `STATUS=${text.replace(/\s+/g, ' ')}`;
  const change = (state: string, status: string, ...more: string[]): void => {
    told = status;
    say(state, statusLine(status), ...more);
  };

  return {
    ready: (status) => change('READY=1', status),
    status(text) {
      if (text === told) return;
      told = text;
      // what has not been sent yet is news no more
      const last = waiting.at(-1);
      if (last?.length === 1 && last[0]!.startsWith('STATUS=')) last[0] = statusLine(text);
      else say(statusLine(text));
    },
    reloading: () => change('RELOADING=1', 'reloading the configuration'),
    stopping: (status, withinMs) =>
      change('STOPPING=1', status, `EXTEND_TIMEOUT_USEC=${Math.ceil(withinMs + closingMs) * 1000}`),
    watch(healthy) {
      const intervalMs = watchdogMs(env);
      if (!listened || intervalMs === null) return;
      void (async () => {
        while (!closed.signal.aborted) {
          if (healthy()) say('WATCHDOG=1');
          await clock.wait(intervalMs / 2, closed.signal);
        }
      })().catch(() => {});
    },
    async close() {
      closed.abort();
      await sending;
      socket?.close();
    },
  };
}

/** How often systemd wants to hear from this process; null when it does not. */
function watchdogMs(env: NodeJS.ProcessEnv): number | null {
  const { WATCHDOG_USEC: every, WATCHDOG_PID: of } = env;
  if (!every || (of && Number(of) !== process.pid)) return null;
  return Number(every) / 1000;
}

interface Datagrams {
  /** The errno, 0 when it has been sent. */
  send(text: string): number;
  close(): void;
}

async function deliver(socket: Datagrams, text: string, clock: Clock): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const errno = socket.send(text);
    if (errno === 0) return;
    if (errno !== constants.errno.EAGAIN || attempt === attempts)
      throw new Error(`sending to NOTIFY_SOCKET fails with errno ${errno}`);
    await clock.wait(againMs);
  }
}

/**
 * Node has no Unix datagrams. systemd-notify as a child would do, but then every process of the service may speak for it
 * (`NotifyAccess=all`), and each word costs 20 ms; so libc is called. The library is loaded only where systemd listens.
 */
async function openDatagrams(address: string): Promise<Datagrams> {
  const { default: koffi } = await import('koffi');
  // what this process is linked with, whatever its name is here
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int family, int type, int protocol)');
  const sendto = libc.func(
    'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *to, uint32_t toLength)',
  );
  const to = socketAddress(address);
  const fd: number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`no Unix socket can be had: errno ${koffi.errno()}`);
  return {
    send(text) {
      const bytes = Buffer.from(text);
      const sent: number = sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length);
      return sent < 0 ? koffi.errno() : 0;
    },
    close: () => closeSync(fd),
  };
}

/** As Linux has them. */
const [AF_UNIX, SOCK_DGRAM, SOCK_CLOEXEC, MSG_DONTWAIT, MSG_NOSIGNAL] = [1, 2, 0o2000000, 0x40, 0x4000];

/** A `sockaddr_un`: the family, then a path, or a name in the abstract space behind a zero byte. */
function socketAddress(address: string): Buffer {
  const path = Buffer.from(address);
  if (path[0] === 0x40) path[0] = 0;
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer);
  return Buffer.concat([family, path, ...(path[0] === 0 ? [] : [Buffer.alloc(1)])]);
}
