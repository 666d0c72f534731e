import { closeSync, rmSync } from 'node:fs';
import koffi from 'koffi';

/** The other end of sd_notify: a Unix socket that takes datagrams, of which Node has none. */
export interface Mailbox {
  /** What has come in since the last time. */
  read(): string[];
  close(): void;
}

/** Binds a path, or with `@` in front a name in the abstract space. */
export function openMailbox(address: string): Mailbox {
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int family, int type, int protocol)');
  const bind = libc.func('int bind(int fd, const void *to, uint32_t length)');
  const recv = libc.func('intptr_t recv(int fd, _Out_ void *bytes, size_t length, int flags)');
  const fd = socket(1, 2, 0) as number;
  const to = Buffer.concat([Buffer.from(new Uint16Array([1]).buffer), Buffer.from(address.replace(/^@/, '\0'))]);
  if (bind(fd, to, to.length) !== 0) throw new Error(`cannot bind ${address}: errno ${koffi.errno()}`);
  const bytes = Buffer.alloc(4096);
  return {
    read() {
      const all: string[] = [];
      // 0x40 is MSG_DONTWAIT
      for (let got = recv(fd, bytes, bytes.length, 0x40); got >= 0; got = recv(fd, bytes, bytes.length, 0x40))
        all.push(bytes.toString('utf8', 0, Number(got)));
      return all;
    },
    close() {
      closeSync(fd);
      if (!address.startsWith('@')) rmSync(address, { force: true });
    },
  };
}
