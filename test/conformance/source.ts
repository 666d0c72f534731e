import { createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { RosterdError as Ours, type RosterdError } from '../../src/base/errors.ts';
import type { Answer, SourceConnector, SourceContext } from '../../src/connector/source.ts';
import { dropContext, type ReadRow, readAll } from '../support/drop.ts';

/**
 * The conformance suite of sources: what the house relies on, whatever the source. Every source connector passes it with
 * the real server behind it. A case that a kind cannot have says why.
 */

/** What a case is asked with. */
export interface Case {
  settings: unknown;
  /** Done while the pull is on its way, once the source has reported progress or has been reached. */
  meanwhile?(): void | Promise<void>;
}

/** A source with its real server, ready for every case. */
export interface SourceRig {
  connector: SourceConnector;
  /** Columns that the good answer has. */
  columns: readonly string[];
  /** Rows of the good answer. */
  rows: number;
  /** What must never be shown: passwords, keys. */
  secrets: readonly string[];
  good(): Case;
  cases: {
    'wrong credentials': () => Case;
    'wrong trust': () => Case;
    /** The server accepts and never says anything; `at` is a server of that kind. The settings have a short time-out. */
    'a server that never answers': (at: Silent) => Case;
    'nobody listens': (port: number) => Case;
    'half an answer': () => Case;
    'an answer that is larger than the settings allow': () => Case;
    /** Refused; or an answer that the server itself declares to be whole and empty, which guards decide about. */
    'an empty answer': { refused(): Case } | { declared(): Case };
  };
  stop(): Promise<void>;
}

/** A server that takes connections and says nothing. */
export interface Silent {
  port: number;
  /** Ends with the first connection. */
  reached: Promise<void>;
  close(): void;
}

/** Starts one on loopback. */
export async function silent(): Promise<Silent> {
  const sockets = new Set<Socket>();
  let server!: Server;
  const reached = new Promise<void>((resolve) => {
    server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      resolve();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as { port: number }).port, reached, close };
}

/** Runs the suite. `open` starts the server. */
export function sourceConformance(rigOf: () => SourceRig): void {
  const contextOf = (more: Partial<SourceContext> = {}): SourceContext =>
    dropContext({
      columns: { required: rigOf().columns, optional: [], exact: false },
      clock: systemClock,
      ...more,
    });
  /** A pull and everything that is read of it: half an answer may show only in the reading. */
  const whole = async ({ settings, meanwhile }: Case, context: SourceContext): Promise<ReadRow[] | null> => {
    let helped: Promise<void> | undefined;
    const help = (): void => {
      helped ??= Promise.resolve(meanwhile?.());
    };
    const answer = await rigOf().connector.pull(settings, { ...context, progress: help });
    try {
      await helped;
      return answer && (await readAll(answer));
    } finally {
      await answer?.close();
    }
  };
  const refused = async (one: Case, context = contextOf()): Promise<RosterdError> => {
    const error: unknown = await whole(one, context).then(
      (rows) => new Error(`it gave ${rows?.length ?? 'nothing'}`),
      (reason: unknown) => reason,
    );
    if (!(error instanceof Ours)) throw error;
    // No secret in what people see: message, remedy, place, cause and stack.
    for (const secret of rigOf().secrets) expect(inspect(error, { depth: 10 })).not.toContain(secret);
    return error;
  };

  describe('a good answer', () => {
    test('is whole, and the same again has the same content', async () => {
      const first = await rigOf().connector.pull(rigOf().good().settings, contextOf());
      const again = await rigOf().connector.pull(rigOf().good().settings, contextOf());
      onTestFinished(async () => {
        await first?.close();
        await again?.close();
      });
      expect(first!.content).toBe(again!.content);
      const rows = await readAll(first!);
      expect(rows).toHaveLength(rigOf().rows);
      expect(rows.filter((row) => 'broken' in row)).toEqual([]);
      for (const part of first!.parts) for (const secret of rigOf().secrets) expect(part.name).not.toContain(secret);
    });

    test('can be read twice, and closed twice', async () => {
      const context = contextOf();
      const answer: Answer | null = await rigOf().connector.pull(rigOf().good().settings, context);
      const rows = await readAll(answer!);
      expect(await readAll(answer!)).toEqual(rows);
      await answer!.close();
      await answer!.close();
    });

    test('is told of beforehand, without a row of it', async () => {
      const said = await rigOf().connector.probe(rigOf().good().settings, contextOf());
      expect(said.length).toBeGreaterThan(0);
      for (const secret of rigOf().secrets) expect(said.join('\n')).not.toContain(secret);
    });
  });

  describe('is refused as it should be:', () => {
    test('wrong credentials, by a pull and by a probe', async () => {
      const one = rigOf().cases['wrong credentials']();
      expect((await refused(one)).kind).toBe('Denied');
      await expect(rigOf().connector.probe(one.settings, contextOf())).rejects.toMatchObject({ kind: 'Denied' });
    });

    test('wrong trust, by a pull and by a probe', async () => {
      const one = rigOf().cases['wrong trust']();
      expect((await refused(one)).kind).toBe('Denied');
      await expect(rigOf().connector.probe(one.settings, contextOf())).rejects.toMatchObject({ kind: 'Denied' });
    });

    test('a server that never answers', async () => {
      const server = await silent();
      onTestFinished(() => server.close());
      expect((await refused(rigOf().cases['a server that never answers'](server))).kind).toBe('Unavailable');
    });

    test('nobody listens', async () => {
      const server = await silent();
      server.close();
      expect((await refused(rigOf().cases['nobody listens'](server.port))).kind).toBe('Unavailable');
    });

    test('half an answer', async () => {
      const { kind } = await refused(rigOf().cases['half an answer']());
      expect(['Incomplete', 'Unavailable']).toContain(kind);
    });

    test('an answer that is larger than the settings allow', async () => {
      const { kind } = await refused(rigOf().cases['an answer that is larger than the settings allow']());
      expect(kind).toBe('Incomplete');
    });

    test('an empty answer, unless the server declares it', async () => {
      const empty = rigOf().cases['an empty answer'];
      if ('refused' in empty) expect((await refused(empty.refused())).kind).toBe('Incomplete');
      else expect(await whole(empty.declared(), contextOf())).toEqual([]);
    });
  });

  describe('an abort', () => {
    test('ends a pull that waits for a server, with its own reason', async () => {
      const server = await silent();
      onTestFinished(() => server.close());
      const context = contextOf();
      const controller = new AbortController();
      const { settings } = rigOf().cases['a server that never answers'](server);
      const pulling = rigOf().connector.pull(settings, { ...context, signal: controller.signal });
      pulling.catch(() => {});
      await server.reached;
      const reason = new Error('stopped by the test');
      controller.abort(reason);
      await expect(pulling).rejects.toBe(reason);
    });

    test('before the first step does nothing at all', async () => {
      const reason = new Error('stopped by the test');
      const pulling = rigOf().connector.pull(rigOf().good().settings, contextOf({ signal: AbortSignal.abort(reason) }));
      await expect(pulling).rejects.toBe(reason);
    });
  });
}
