import type { Client, Dispatcher } from 'undici';
import { Denied, Incomplete, Misconfigured, Rejected, RosterdError, Unavailable } from '../../base/errors.ts';
import type { Config } from '../../configure/config.ts';
import { type Answer, type Asking, type Endpoint, type EndpointName, endpoints, type RunLine } from './api.ts';
import type { ErrorJson } from './errors.ts';
import { lookAt } from './socket.ts';

/**
 * How long the daemon may take to begin an answer: a minute goes by before it says that its store is away. One that works
 * for us may take as long as it likes.
 */
const headersMs = 120_000;

const ours = { Misconfigured, Denied, Unavailable, Incomplete, Rejected };

/** A daemon that runs, as commands see it: what it refuses is thrown as the error that it names. */
export class Daemon {
  readonly socket: string;
  readonly #client: Client;

  private constructor(socket: string, client: Client) {
    this.socket = socket;
    this.#client = client;
  }

  /** The daemon at a socket, where one answers. */
  static async at(socket: string): Promise<Daemon> {
    // read when it is asked for: mostly no daemon runs beside a command
    const { Client } = await import('undici');
    return new Daemon(socket, new Client('http://localhost', { socketPath: socket, bodyTimeout: 0 }));
  }

  /** Asks an endpoint that answers with JSON. */
  async call<N extends EndpointName>(name: N, asking: Asking<N> = {}): Promise<Answer<N>> {
    return (await this.#told(async () => (await this.#request(name, asking)).body.json())) as Answer<N>;
  }

  /** Has sources run, and does not wait; gives their names. */
  async start(sources: readonly string[], dryRun: boolean): Promise<readonly string[]> {
    const body = { sources: [...sources], dryRun, wait: false };
    const said = await this.#told(async () => (await this.#request('run', { body })).body.json());
    return (said as { accepted: string[] }).accepted;
  }

  /** Runs sources and tells what happens, line by line, to the end. */
  async *run(sources: readonly string[], dryRun: boolean): AsyncGenerator<RunLine> {
    const body = { sources: [...sources], dryRun, wait: true };
    const { body: stream } = await this.#told(() => this.#request('run', { body }));
    let said: RunLine | null = null;
    try {
      for await (const line of linesOf(stream)) {
        said = JSON.parse(line) as RunLine;
        yield said;
      }
    } catch (error) {
      throw this.#lost(error);
    }
    if (said?.type !== 'end') throw this.#lost(null);
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }

  async #request<N extends EndpointName>(
    name: N,
    { params, query, body }: Asking<N>,
  ): Promise<Dispatcher.ResponseData> {
    const { method, path }: Endpoint = endpoints[name];
    const filled = path.replace(/:(\w+)/g, (_, key: string) =>
      encodeURIComponent(String((params as Record<string, unknown>)[key])),
    );
    const asked = Object.fromEntries(Object.entries(query ?? {}).filter(([, value]) => value !== undefined));
    const response = await this.#client.request({
      ...{ method, path: filled, query: asked, headersTimeout: method === 'GET' ? headersMs : 0 },
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    if (response.statusCode < 400) return response;
    const { error } = (await response.body.json()) as ErrorJson;
    const more = error.remedy === null ? {} : { remedy: error.remedy };
    if (error.kind === 'Unexpected') throw new Error(`the daemon at ${this.socket}: ${error.message}`);
    throw new ours[error.kind](error.message, more);
  }

  async #told<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (error instanceof RosterdError || typeof code !== 'string') throw error;
      throw this.#lost(error);
    }
  }

  #lost(cause: unknown): Unavailable {
    return new Unavailable(`the daemon at ${this.socket} does not answer any more`, {
      remedy: 'look into its log; what it was at goes on when it is started again',
      cause,
    });
  }
}

/** Whole lines; one that was cut is none. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}

/** The daemon that runs with a configuration; null when none does. Throws `Denied` when its socket is not ours to use. */
export async function findDaemon({ control: { socket } }: Config): Promise<Daemon | null> {
  return (await lookAt(socket)) === 'alive' ? Daemon.at(socket) : null;
}

/** The same, for what only a daemon can do. Throws `Unavailable` when none runs. */
export async function needDaemon(config: Config): Promise<Daemon> {
  const daemon = await findDaemon(config);
  if (daemon) return daemon;
  throw new Unavailable(`no rosterd answers at ${config.control.socket}`, {
    remedy: 'is it running, with this configuration? one run without it: rosterd sync',
  });
}
