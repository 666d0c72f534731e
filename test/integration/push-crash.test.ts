import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startStubs } from '../../src/daemon.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import { key, PushSite, student, students } from '../support/pushing.ts';

/** What an answer of 202 is worth: kills, stops, repeats, and many at once, on a real daemon. */

async function started(how: Parameters<typeof PushSite.make>[0] = {}): Promise<PushSite> {
  const site = await PushSite.make(how);
  await site.start();
  return site;
}

/** A request whose body is on its way: what has been sent of it, and what is left. */
async function halfSent(site: PushSite, body: string): Promise<{ finish(): Promise<string>; cut(): void }> {
  const socket = connect(site.port, '127.0.0.1');
  socket.on('error', () => {});
  const answer = text(socket).catch(() => '');
  const head = `POST /api/v1/sources/sis/students HTTP/1.1\r\nhost: x\r\napi_key: ${key}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  await new Promise<void>((resolve) => socket.write(head + body.slice(0, 20), () => resolve()));
  return {
    finish() {
      socket.write(body.slice(20));
      return answer;
    },
    cut: () => socket.destroy(),
  };
}

/** Files that are being received now. */
const drafts = (site: PushSite): string[] => {
  const names = readdirSync(site.stateDir, { recursive: true }) as string[];
  return names.filter((name) => name.includes('tmp-'));
};

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 120_000, interval: 5 }).toBe(true);
}

describe('a daemon that is killed', () => {
  test('right after each answer loses none of the pushes, and runs each once, in order', {
    timeout: 120_000,
  }, async () => {
    const site = await PushSite.make();
    const runs: string[] = [];
    for (let n = 0; n < 6; n++) {
      await site.start();
      const answer = n
        ? await site.push([student(n), { id: `id${n - 1}`, lastName: `After ${n}` }], '?answer=delta')
        : await site.push(students(0, 1));
      await site.stop('SIGKILL');
      expect(answer.status).toBe(202);
      runs.push(answer.body.run);
    }
    await site.start();
    await until(() => !readdirSync(join(site.keepDir, 'inbox')).length);
    await site.stop();
    expect((await site.runs()).map(({ run, status }) => [run, status])).toEqual(runs.map((run) => [run, 'applied']));
    const accounts = await site.accounts();
    expect([...accounts.values()].map(({ id, lastName }) => [id, lastName])).toEqual([
      ...[1, 2, 3, 4, 5].map((n) => [`id${n - 1}`, `After ${n}`]),
      ['id5', 'Last5'],
    ]);
  });

  test('while a body comes in has taken nothing of it', async () => {
    const site = await started();
    const half = await halfSent(site, JSON.stringify({ data: students(0, 2) }));
    await until(() => drafts(site).length === 1);
    await site.stop('SIGKILL');
    half.cut();
    expect(drafts(site)).toHaveLength(1);
    await site.start();
    expect(drafts(site)).toEqual([]);
    await site.stop();
    expect(await site.runs()).toEqual([]);
  });

  test('knows a repeat of what came before', async () => {
    const site = await started();
    const keyed = { 'idempotency-key': 'term-1' };
    const first = await site.push(students(0, 2), '', keyed);
    await site.stop('SIGKILL');
    await site.start();
    const again = await site.push(students(0, 2), '', keyed);
    expect([again.status, again.body]).toEqual([202, { ...first.body, repeated: true }]);
    const other = await site.push(students(0, 3), '', keyed);
    expect([other.status, other.body.error]).toEqual([409, expect.stringContaining('came with another body')]);
    const asDelta = await site.push(students(0, 2), '?answer=delta', keyed);
    expect(asDelta.status).toBe(409);
    await site.says('run.applied');
    await site.stop();
    expect((await site.runs()).map(({ run }) => run)).toEqual([first.body.run]);
    // the key itself may say something about somebody
    const kept = readdirSync(join(site.keepDir, 'receipts')).map((name) =>
      readFileSync(join(site.keepDir, 'receipts', name), 'utf8'),
    );
    expect(kept).toHaveLength(1);
    expect(kept[0]).not.toContain('term-1');
  });
});

describe('a daemon that is asked to stop', () => {
  test('takes what is on its way, tells all others to come back, and runs it after the next start', async () => {
    const site = await started();
    const half = await halfSent(site, JSON.stringify({ data: students(0, 2) }));
    await until(() => drafts(site).length === 1);
    site.daemon!.kill('SIGTERM');
    await site.says('daemon.stopping');
    const late = await site.push(students(0, 1));
    expect([late.status, late.headers.get('retry-after')]).toEqual([503, '30']);
    expect(await half.finish()).toMatch(/^HTTP\/1.1 202 /);
    expect(await site.ended()).toBe(0);
    await site.start();
    await site.says('run.applied');
    expect(await site.stop('SIGINT')).toBe(0);
    expect(await site.active()).toEqual(['id0', 'id1']);
  });

  test('while a run is on: ends it, and runs it again after the next start, under the same id', async () => {
    const site = await started();
    const { body } = await site.push(students(0, 20_000));
    await until(() => readdirSync(site.stateDir).some((name) => name.startsWith('spool-sis')));
    expect(await site.stop()).toBe(0);
    expect((await site.runs()).map(({ run, status }) => [run, status])).toEqual([[body.run, expect.any(String)]]);
    await site.start();
    await until(() => !readdirSync(join(site.keepDir, 'inbox')).length);
    await site.stop();
    expect((await site.runs()).map(({ run, status }) => [run, status])).toEqual([[body.run, 'applied']]);
    expect(await site.active()).toHaveLength(20_000);
  });

  test('and again, stops at once', async () => {
    const site = await started();
    const half = await halfSent(site, JSON.stringify({ data: students(0, 2) }));
    await until(() => drafts(site).length === 1);
    site.daemon!.kill('SIGINT');
    await site.says('daemon.stopping');
    const began = performance.now();
    await site.stop('SIGTERM');
    expect(performance.now() - began).toBeLessThan(9000);
    half.cut();
    await site.start();
    await site.stop();
    expect(await site.runs()).toEqual([]);
  });
});

describe('many pushes', () => {
  test('at once, and while runs are on, have each their run, in the order they were taken', async () => {
    const site = await started();
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => site.push(students(0, 40 + n))));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(202));
    await site.push(students(0, 30));
    await until(() => !readdirSync(join(site.keepDir, 'inbox')).length);
    await site.stop();
    const runs = await site.runs();
    expect(runs).toHaveLength(13);
    expect(new Set(runs.map(({ run }) => run))).toEqual(
      new Set([...answers.map(({ body }) => body.run), runs.at(-1)!.run]),
    );
    expect(await site.active()).toHaveLength(30);
  });

  test('more than may wait are refused for now', async () => {
    const site = await started({ source: '    maxWaiting: 1' });
    // nobody runs them: another rosterd has the source in hand
    const store = openEmbeddedStore(site.stateDir);
    const lock = (await store.lock('source:sis'))!;
    expect((await site.push(students(0, 2))).status).toBe(202);
    const second = await site.push(students(0, 3));
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '60']);
    await lock.release();
    await store.close();
    await until(() => !readdirSync(join(site.keepDir, 'inbox')).length);
    expect((await site.push(students(0, 3))).status).toBe(202);
    await site.stop();
  });
});

describe('sync', () => {
  test('takes up what waits; a trial leaves it; nothing is no failure', async () => {
    const site = await started();
    // in other hands, so that the daemon cannot run what it takes
    const store = openEmbeddedStore(site.stateDir);
    const lock = (await store.lock('source:sis'))!;
    const first = await site.push(students(0, 2));
    expect(await site.stop()).toBe(0);
    await lock.release();
    await store.close();
    const trial = await site.rosterd('sync', '--dry-run', '--json');
    expect(JSON.parse(trial.stdout).runs).toHaveLength(1);
    const synced = JSON.parse((await site.rosterd('sync', '--json')).stdout) as {
      runs: { run: string; status: string }[];
    };
    expect(synced.runs.map(({ run, status }) => [run, status])).toEqual([[first.body.run, 'applied']]);
    const again = await site.rosterd('sync', '--json');
    expect([again.status, JSON.parse(again.stdout).runs[0].status]).toEqual([0, 'skipped']);
    expect(await site.active()).toEqual(['id0', 'id1']);
  });
});

test('a source in dry run plans what is pushed, once, and then takes no delta', async () => {
  const site = await started({ source: '    dryRun: true' });
  await site.push(students(0, 2));
  await site.says('run.planned');
  await site.push([student(5)], '?answer=delta');
  await site.says('run.failed');
  await site.stop();
  expect(await site.active()).toEqual([]);
  expect((await site.runs()).map(({ status }) => status)).toEqual(['planned', 'failed']);
});

test('what is pushed is delivered', async () => {
  const stubs = await startStubs({});
  onTestFinished(async () => void (await Promise.all(stubs.map((stub) => stub.close()))));
  const stub = stubs.find(({ kind }) => kind === 'salesforce')!;
  const top = `targets:
  salesforce: { kind: salesforce, url: '${stub.url}', clientId: c, clientSecret: { file: ./secret } }`;
  const site = await PushSite.make({ top });
  writeFileSync(join(site.directory, 'secret'), 'stub');
  await site.start();
  await site.push(students(0, 3));
  await expect.poll(() => (stub.state() as { contacts: unknown[] }).contacts, { timeout: 120_000 }).toHaveLength(3);
  expect(await site.stop()).toBe(0);
});

test('a key from push-key pushes, beside the one it replaces', async () => {
  const site = await PushSite.make();
  const child = site.spawn(['push-key', '--json']);
  const made = JSON.parse(await text(child.stdout!)) as { key: string; sha256: string };
  site.rewrite((yaml) => yaml.replace(/key: (\{.*\})/, `key: [$1, { sha256: ${made.sha256} }]`));
  await site.start();
  for (const one of [key, made.key]) expect((await site.push([], '', { API_KEY: one })).status).toBe(202);
  await site.stop();
});

test('200,000 records are taken and run in flat memory', { timeout: 900_000 }, async () => {
  const site = await PushSite.make();
  await site.start(['--max-old-space-size=256', '--max-semi-space-size=16']);
  const body = JSON.stringify({ data: students(0, 200_000) });
  const peak = (): number =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${site.daemon!.pid}/status`, 'utf8'))![1]) / 1024;
  const before = peak();
  const { status, body: receipt } = await site.json(body);
  expect([status, receipt.accepted]).toEqual([202, 200_000]);
  const received = peak();
  await expect.poll(() => site.log.includes('"event":"run.applied"'), { timeout: 800_000, interval: 200 }).toBe(true);
  // the body alone has 36 MB, its records as objects several times that
  expect(received - before).toBeLessThan(100);
  expect(peak()).toBeLessThan(400);
  await site.stop();
});
