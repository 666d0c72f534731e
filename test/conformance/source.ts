import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { RosterdError as Ours, type RosterdError } from '../../src/base/errors.ts';
import type { Answer, SourceConnector, SourceContext } from '../../src/connector/source.ts';
import { dropContext, type ReadRow, readAll } from '../support/drop.ts';

/**
 * The conformance suite of sources: what the house relies on, whatever the source, and whoever begins. A source that asks
 * has a real server behind it; one that is told has a real sender before it, and its own listener. Both keep one and the
 * same list of promises. Where a promise has no meaning for a kind, its test says why, and proves that.
 */

/** One way in which an answer comes, or does not. */
export interface Case {
  /** Asks for the answer, or has it sent, and takes it. What this throws is why there is none. */
  answer(context: SourceContext): Promise<Answer | null>;
  /** Logs in and looks, as `check --connect` does. */
  probe(context: SourceContext): Promise<string[]>;
  /** Of a sender: ends when the source has begun to take what comes. */
  reached?: Promise<void>;
}

/** One or more cases of the same promise. */
type Cases = Case | readonly Case[];

/** A source with what stands on its other side, ready for every case. */
export interface SourceRig {
  /** Columns that the good answer has. */
  columns: readonly string[];
  /** Rows of the good answer. */
  rows: number;
  /** What must never be shown: passwords, keys. */
  secrets: readonly string[];
  /** Where the source keeps what lasts, when it is not for the suite to say. */
  keepDir?: string;
  good(): Case;
  cases: {
    'wrong credentials': () => Cases;
    'wrong trust': () => Cases;
    /**
     * The other side comes to be there, and says nothing, or nothing more. `at` is a server of that kind, for those who ask.
     * The settings have a short time-out.
     */
    silence: (at: Silent) => Cases;
    /** Nobody takes what is asked, or sent. Nobody listens at the port. */
    'nobody there': (port: number) => Cases;
    'half an answer': () => Cases;
    'an answer that is larger than the settings allow': () => Cases;
    /** Refused; or an answer that the other side itself declares to be whole and empty, which guards decide about. */
    'an empty answer': { refused?(): Cases; declared?(): Case };
  };
  stop(): Promise<void>;
}

/** Why something that was sent was not taken, as its sender and the log of the source were told. */
export class NotTaken extends Error {
  readonly kind: RosterdError['kind'];
  readonly told: string;
  readonly log: readonly unknown[];
  constructor(kind: RosterdError['kind'], told: string, log: readonly unknown[]) {
    super(told);
    this.kind = kind;
    this.told = told;
    this.log = log;
  }
}

/** A case of a source that asks. */
interface Asked {
  settings: unknown;
  /** Done while the pull is on its way, once the source has reported progress or has been reached. */
  meanwhile?(): void | Promise<void>;
}

/** What a source that asks brings: its connector, and settings for each case. */
interface AskingRig extends Pick<SourceRig, 'columns' | 'rows' | 'secrets' | 'stop'> {
  connector: SourceConnector;
  good(): Asked;
  cases: {
    [name in Exclude<keyof SourceRig['cases'], 'an empty answer'>]: (
      ...given: Parameters<SourceRig['cases'][name]>
    ) => Asked;
  } & { 'an empty answer': { refused?(): Asked; declared?(): Asked } };
}

/** The rig of a source that asks. */
export function asking({ connector, good, cases, ...rest }: AskingRig): SourceRig {
  const asked = ({ settings, meanwhile }: Asked): Case => ({
    async answer(context) {
      let helped: Promise<void> | undefined;
      const help = (): void => {
        helped ??= Promise.resolve(meanwhile?.());
      };
      const answer = await connector.pull(settings, { ...context, progress: help });
      await helped;
      return answer;
    },
    probe: (context) => connector.probe(settings, context),
  });
  const { refused, declared } = cases['an empty answer'];
  return {
    ...rest,
    good: () => asked(good()),
    cases: {
      'wrong credentials': () => asked(cases['wrong credentials']()),
      'wrong trust': () => asked(cases['wrong trust']()),
      silence: (at) => asked(cases.silence(at)),
      'nobody there': (port) => asked(cases['nobody there'](port)),
      'half an answer': () => asked(cases['half an answer']()),
      'an answer that is larger than the settings allow': () =>
        asked(cases['an answer that is larger than the settings allow']()),
      'an empty answer': {
        ...(refused && { refused: () => asked(refused()) }),
        ...(declared && { declared: () => asked(declared()) }),
      },
    },
  };
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

/** Every file below a directory with its content: what a refusal must leave as it was. */
function filesIn(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const named = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(
    named.map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')] as const),
  );
}

/**
 * Runs the suite. `rigOf` gives what `beforeAll` has opened; `nobodyAsked` says of a source that logs in nowhere why its
 * probe cannot be denied anything.
 */
export function sourceConformance(rigOf: () => SourceRig, nobodyAsked: string | null = null): void {
  const contextOf = (more: Partial<SourceContext> = {}): SourceContext => {
    const { columns, keepDir } = rigOf();
    return dropContext({
      columns: { required: columns, optional: [], exact: false },
      clock: systemClock,
      ...(keepDir === undefined ? {} : { keepDir }),
      ...more,
    });
  };
  /** Everything that is read of an answer: half of one may show only in the reading. */
  const whole = async (one: Case, context: SourceContext): Promise<ReadRow[] | null> => {
    const answer = await one.answer(context);
    try {
      return answer && (await readAll(answer));
    } finally {
      await answer?.close();
    }
  };
  const thrown = async (working: Promise<unknown>): Promise<unknown> =>
    working.then(
      (gave) => new Error(`it gave ${Array.isArray(gave) ? gave.length : 'nothing'}`),
      (reason: unknown) => reason,
    );
  const secretsIn = (shown: unknown): string[] =>
    rigOf().secrets.filter((secret) => inspect(shown, { depth: 10, maxStringLength: null }).includes(secret));
  /** Each case is refused in one of these ways, shows no secret, and leaves nothing. */
  const refused = async (cases: Cases, ...kinds: RosterdError['kind'][]): Promise<void> => {
    const context = contextOf();
    const before = filesIn(context.keepDir);
    const all = [cases].flat();
    expect(all).not.toEqual([]);
    for (const [at, one] of all.entries()) {
      const error = await thrown(whole(one, context));
      if (!(error instanceof Ours || error instanceof NotTaken)) throw error;
      expect([at, error.message, kinds.includes(error.kind) ? kinds : error.kind]).toEqual([at, error.message, kinds]);
      // no secret in what people see: message, remedy, place, cause, stack; what a sender was told, and the log
      expect(secretsIn(error)).toEqual([]);
    }
    // a sender that went away is noticed in its own time
    await expect.poll(() => filesIn(context.keepDir), { timeout: 10_000 }).toEqual(before);
  };

  describe('a good answer', () => {
    test('is whole, and the same again has the same content', async () => {
      const context = contextOf();
      const first = await rigOf().good().answer(context);
      const again = await rigOf().good().answer(contextOf());
      onTestFinished(async () => {
        await first?.close();
        await again?.close();
      });
      expect(first!.content).toBe(again!.content);
      const rows = await readAll(first!);
      expect(rows).toHaveLength(rigOf().rows);
      expect(rows.filter((row) => 'broken' in row)).toEqual([]);
      expect(secretsIn(first!.parts.map(({ name }) => name))).toEqual([]);
    });

    test('can be read twice, and closed twice', async () => {
      const answer = await rigOf().good().answer(contextOf());
      const rows = await readAll(answer!);
      expect(await readAll(answer!)).toEqual(rows);
      await answer!.close();
      await answer!.close();
    });

    test('is told of beforehand, without a row of it', async () => {
      const context = contextOf();
      const before = filesIn(context.keepDir);
      const said = await rigOf().good().probe(context);
      expect(said.length).toBeGreaterThan(0);
      expect(secretsIn(said)).toEqual([]);
      expect(filesIn(context.keepDir)).toEqual(before);
    });
  });

  describe('is refused as it should be:', () => {
    for (const name of ['wrong credentials', 'wrong trust'] as const) {
      test(name, () => refused(rigOf().cases[name](), 'Denied'));

      const probes = (): Promise<string[]>[] => [rigOf().cases[name]()].flat().map((one) => one.probe(contextOf()));
      if (nobodyAsked === null)
        test(`${name}, by a probe`, async () => {
          for (const probe of probes()) await expect(probe).rejects.toMatchObject({ kind: 'Denied' });
        });
      else
        test(`${name}, by a probe: has no meaning, for ${nobodyAsked}`, async () => {
          for (const probe of probes()) expect(await probe).not.toEqual([]);
        });
    }

    test('the other side says nothing, or nothing more', async () => {
      const server = await silent();
      onTestFinished(() => server.close());
      await refused(rigOf().cases.silence(server), 'Unavailable');
    });

    test('nobody there', async () => {
      const server = await silent();
      server.close();
      await refused(rigOf().cases['nobody there'](server.port), 'Unavailable');
    });

    test('half an answer', () => refused(rigOf().cases['half an answer'](), 'Incomplete', 'Unavailable'));

    test('an answer that is larger than the settings allow', () =>
      refused(rigOf().cases['an answer that is larger than the settings allow'](), 'Incomplete'));

    test('an empty answer, unless the other side declares it', async () => {
      const { refused: bare, declared } = rigOf().cases['an empty answer'];
      expect(bare ?? declared).toBeDefined();
      if (bare) await refused(bare(), 'Incomplete');
      if (declared) expect(await whole(declared(), contextOf())).toEqual([]);
    });
  });

  describe('an abort', () => {
    test('ends what waits for the other side: with its own reason, or by telling the sender', async () => {
      const server = await silent();
      onTestFinished(() => server.close());
      const context = contextOf();
      const before = filesIn(context.keepDir);
      const controller = new AbortController();
      const one = [rigOf().cases.silence(server)].flat().at(-1)!;
      const ending = thrown(one.answer({ ...context, signal: controller.signal }));
      await (one.reached ?? server.reached);
      const reason = new Error('stopped by the test');
      controller.abort(reason);
      const error = await ending;
      if (error instanceof NotTaken) expect(error.kind).toBe('Unavailable');
      else expect(error).toBe(reason);
      await expect.poll(() => filesIn(context.keepDir), { timeout: 10_000 }).toEqual(before);
    });

    test('before the first step does nothing at all', async () => {
      const reason = new Error('stopped by the test');
      const pulling = rigOf()
        .good()
        .answer(contextOf({ signal: AbortSignal.abort(reason) }));
      await expect(pulling).rejects.toBe(reason);
    });
  });
}
