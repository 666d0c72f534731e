import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that the kernel gives to whoever does not mind which: between the moment at which one is found free and
 * the one at which a process listens on it, nobody else may get it.
 */
const [from, to] = [10_000, 32_000];
let next = from + ((process.pid * 37) % (to - from));

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next;
    next = port + 1 < to ? port + 1 : from;
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
