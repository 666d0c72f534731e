import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { push } from '../../../connectors/push/connector.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { RosterdError } from '../../../src/base/errors.ts';
import { openLog } from '../../../src/base/log.ts';
import type { Answer, SourceContext } from '../../../src/connector/source.ts';
import { readConfig } from '../../../src/daemon.ts';
import { type Listener, openListener } from '../../../src/pull/listen.ts';
import { keepDirOf } from '../../../src/pull/pull.ts';
import { authority } from '../../support/certificate.ts';
import { freePort } from '../../support/free-port.ts';
import { key, sha256, students } from '../../support/pushing.ts';
import { type Case, NotTaken, type SourceRig, sourceConformance } from '../source.ts';

/** The other side of a push is its sender: each case is one that sends over TLS to our own listener, well or badly. */

describe('source contract: push over TLS', () => {
  let rig: SourceRig;
  beforeAll(async () => {
    rig = await open();
  });
  afterAll(() => rig?.stop());
  sourceConformance(() => rig, 'others log in here, and nobody is asked');
});

const otherKey = `rosterd_${'o'.repeat(43)}`;
const wrongKey = `rosterd_${'w'.repeat(43)}`;
const json = { 'content-type': 'application/json' };
const csv = { 'content-type': 'text/csv' };

/** What a sender was told; status null: the connection ended without a word. */
interface Told {
  status: number | null;
  text: string;
}

/** What the words of a refusal mean for whoever sends. */
function kindOf({ status }: Told): RosterdError['kind'] {
  if (status === 401 || status === 404) return 'Denied';
  if (status === null || status === 408 || status === 503) return 'Unavailable';
  return 'Incomplete';
}

async function open(): Promise<SourceRig> {
  const [own, strange] = [authority(), authority()];
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-push-contract-'));
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const certified = own.issue('127.0.0.1');
  const port = await freePort();
  const config = readConfig(
    file(
      'rosterd.yaml',
      `version: 1
institution: example-university
stateDir: ${folder}/var
listen:
  port: ${port}
  timeout: 1s
  tls: { certificate: ${file('cert.pem', certified.cert)}, key: ${file('key.pem', certified.key)} }
sources:
  sis:
    kind: push
    key: { sha256: ${sha256(key)} }
    rate: { pushes: 100000, per: 1h }
    maxBody: 1MB
    maxRecords: 2500
    format: unitu
  hr: { kind: push, key: { sha256: ${sha256(otherKey)} }, format: unitu }
`,
    ),
  );
  const { settings } = config.sources[0]!;
  const keepDir = keepDirOf(config.stateDir, 'sis');
  const inbox = push.inbox!(settings as never, keepDir);
  const log: string[] = [];
  const sink = { write: (line: string) => void log.push(line) };
  const listening = (): Promise<Listener> =>
    openListener(config, config.listen!, {
      clock: systemClock,
      log: openLog({ level: 'debug', to: sink }),
      received() {},
    });
  let listener = await listening();

  /** Takes what came, as a run does, or says why it did not come. Of a push that was refused, no run finds anything. */
  const outcome = async (told: Told, context: SourceContext): Promise<Answer | null> => {
    if (told.status !== 202) {
      expect(await push.pull(settings as never, { ...context, signal: new AbortController().signal })).toBeNull();
      throw new NotTaken(kindOf(told), told.text, log.splice(0));
    }
    const { run } = JSON.parse(told.text) as { run: string };
    let content: string | null = null;
    try {
      const answer = await push.pull(settings as never, context);
      content = answer?.content ?? null;
      return answer;
    } finally {
      await inbox.settle(run, content);
    }
  };
  const sender = (send: (context: SourceContext) => Promise<Told>, reached?: Promise<void>): Case => ({
    answer: async (context) => outcome(await send(context), context),
    probe: (context) => push.probe(settings as never, context),
    ...(reached && { reached }),
  });

  /** Sends by the HTTP client of the runtime, to its end or until it is answered. */
  const post = (
    path: string,
    body: string | Iterable<string>,
    headers: Record<string, string>,
    { ca = own.cert }: { ca?: string } = {},
  ): Promise<Told> =>
    new Promise((resolve, reject) => {
      const asking = request(
        { host: '127.0.0.1', port, path: `/api/v1/sources/${path}`, method: 'POST', ca, headers, agent: false },
        async (response) => {
          resolve({ status: response.statusCode!, text: await text(response) });
          asking.destroy();
        },
      );
      asking.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') resolve({ status: null, text: error.code });
        else reject(error);
      });
      if (typeof body === 'string') asking.end(body);
      else pipeline(Readable.from(body), asking).catch(() => {});
    });
  const good = { API_KEY: key, ...json };
  const list = JSON.stringify({ data: students(0, 2000) });

  /** Sends these bytes and then nothing more. `end`: closes its side behind them. */
  const raw = (bytes: string, end: boolean, sent: () => void = () => {}): Promise<Told> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca: own.cert }, () => {
        socket.write(bytes, () => sent());
        if (end) socket.end();
      });
      let said = '';
      socket.setEncoding('utf8').on('data', (piece: string) => {
        said += piece;
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
      });
      socket.on('close', () => {
        const status = /^HTTP\/1\.1 (\d+)/.exec(said)?.[1];
        resolve({ status: status === undefined ? null : Number(status), text: said });
      });
    });
  /** Requests in full, as bytes: those that say how long they are, and one that does not. */
  const requests = ((): { head: string; body: string }[] => {
    const two = students(0, 2);
    const list = JSON.stringify({ data: two });
    const table = `${Object.keys(two[0]!).join()}\n${two.map((one) => Object.values(one).join()).join('\n')}\n`;
    const form = `--b\r\ncontent-disposition: form-data; name="f"; filename="f.csv"\r\n\r\n${table}\r\n--b--\r\n`;
    const head = (path: string, type: string, more: string): string =>
      `POST /api/v1/sources/sis/${path} HTTP/1.1\r\nhost: x\r\napi_key: ${key}\r\ncontent-type: ${type}\r\nconnection: close\r\n${more}\r\n\r\n`;
    const long = (body: string): string => `content-length: ${Buffer.byteLength(body)}`;
    const chunk = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n`;
    return [
      { head: head('students', 'application/json', long(list)), body: list },
      { head: head('upload', 'text/csv', long(table)), body: table },
      { head: head('upload', 'multipart/form-data; boundary=b', long(form)), body: form },
      {
        head: head('upload', 'text/csv', 'transfer-encoding: chunked'),
        body: `${chunk(table.slice(0, 100))}${chunk(table.slice(100))}0\r\n\r\n`,
      },
    ];
  })();

  /** Until something of a push is on the disk. */
  const receiving = (): Promise<void> =>
    expect.poll(() => inboxFiles().some((name) => name.startsWith('tmp-')), { timeout: 10_000 }).toBe(true);
  const inboxFiles = (): string[] => (existsSync(join(keepDir, 'inbox')) ? readdirSync(join(keepDir, 'inbox')) : []);

  const silence = (bytes: string, waits: boolean): Case => {
    let begun: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      begun = resolve;
    });
    return sender(async ({ signal }) => {
      // somebody stops the service while the body is on its way: nobody waits for the rest of it
      const stopping = new Promise<void>((resolve) => {
        const stop = async (): Promise<void> => {
          listener.stop();
          await listener.close(60_000, signal);
          listener = await listening();
          resolve();
        };
        signal.addEventListener('abort', () => void stop(), { once: true });
      });
      const told = await raw(bytes, false, () => {
        if (waits) void receiving().then(begun);
      });
      if (signal.aborted) await stopping;
      return told;
    }, reached);
  };

  return {
    columns: Object.keys(students(0, 1)[0]!),
    rows: 2000,
    secrets: [key, otherKey, wrongKey],
    keepDir,
    good: () => sender(() => post('sis/students', list, good)),
    cases: {
      'wrong credentials': () => [
        ...([[], ['API_KEY', wrongKey], ['authorization', `Bearer ${wrongKey}`], ['API_KEY', otherKey]] as const).map(
          ([name, value]) =>
            sender(() => post('sis/students', list, name === undefined ? json : { ...json, [name]: value })),
        ),
        // a key of ours, for a source that is none of its own
        sender(() => post('hr/students', list, good)),
      ],
      'wrong trust': () => {
        // whoever does not trust us has sent no request, so neither key nor people
        let asked = 0;
        const count = (): void => {
          asked += 1;
        };
        subscribe('http.server.request.start', count);
        onTestFinished(() => void unsubscribe('http.server.request.start', count));
        return sender(async () => {
          const told = await post('sis/students', list, good, { ca: strange.cert }).catch((error) => error);
          expect(told).toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
          expect(asked).toBe(0);
          return { status: 401, text: (told as Error).message };
        });
      },
      silence: () => {
        const { head, body } = requests[0]!;
        // not a byte; half a head; a head alone; half a body
        return [
          silence('', false),
          silence(head.slice(0, 30), false),
          silence(head, false),
          silence(head + body.slice(0, body.length / 2), true),
        ];
      },
      'nobody there': () => [
        // the service is about to end: come back later
        sender(async () => {
          listener.stop();
          return post('sis/students', list, good);
        }),
        // it has ended
        sender(async () => {
          await listener.close(0, AbortSignal.abort());
          try {
            return await post('sis/students', list, good);
          } finally {
            listener = await listening();
          }
        }),
      ],
      'half an answer': () =>
        requests.flatMap(({ head, body }) =>
          Array.from({ length: body.length }, (_, at) => sender(() => raw(head + body.slice(0, at), true))),
        ),
      'an answer that is larger than the settings allow': () => [
        sender(() => post('sis/students', JSON.stringify({ data: students(0, 2501) }), good)),
        sender(() => post('sis/students', `{"data":[${' '.repeat(2 ** 20)}]}`, good)),
        // it never ends by itself, and is not waited for; what is on its way fits into the buffers of sockets and streams
        sender(async () => {
          let sent = 0;
          const endless = (function* () {
            yield 'faculty,department,course,firstName,lastName,email,year,id\n';
            for (;;) {
              sent += 65_536;
              yield `${'x'.repeat(65_535)}\n`;
            }
          })();
          const told = await post('sis/upload', endless, { ...good, ...csv });
          expect(sent).toBeLessThan(64 * 2 ** 20);
          return told;
        }),
      ],
      'an empty answer': {
        refused: () => ['', '{}', '{"data":null}'].map((body) => sender(() => post('sis/students', body, good))),
        declared: () => sender(() => post('sis/students', '{"data":[]}', good)),
      },
    },
    async stop() {
      await listener.close(0, AbortSignal.abort());
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
