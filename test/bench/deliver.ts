import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { StubRequest } from '../../src/connector/stub-requests.ts';
import type { DeliveryEnd } from '../../src/deliver/drain.ts';
import { table } from '../../src/operate/screen.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import { configText, ratio, say } from './cases.ts';
import {
  type DeliveryCase,
  deliveryCases,
  deliveryItems,
  queuedItems,
  secretVariable,
  targetName,
} from './deliver-cases.ts';
import { measureNode } from './measure.ts';

/**
 * What a delivery costs (from opening the target to the last item that is settled in the embedded store) beside a bare
 * undici loop that sends the very same bodies. Each has a stub of its own that is fresh, in a process of its own, and they
 * take turns; the shortest time of each counts: what is more was the machine's.
 */

interface Result {
  of: DeliveryCase;
  seconds: number[];
  bare: number[];
  peakMb: number;
}

/** The program with the heap limit of `npm run rosterd`. */
const heap = ['--max-old-space-size=256', '--max-semi-space-size=16'];
/** The least share of the bare loop's speed that the project promises. */
const leastShare = 0.6;

/** Measures and prints. `wanted`: part of the names of cases; `repeat`: how often each is measured. */
export async function benchDeliver(wanted: string, repeat: number): Promise<void> {
  process.env[secretVariable] ??= 'a-secret-of-the-bench';
  say('\ndeliver: items a second, beside a bare undici loop with the same bodies (stub in a process of its own)');
  const results: Result[] = [];
  for (const one of deliveryCases)
    if (wanted === 'all' || one.name.includes(wanted)) results.push(await measure(one, repeat));
  report(results);
}

async function measure(of: DeliveryCase, repeat: number): Promise<Result> {
  const home = mkdtempSync(join(tmpdir(), 'rosterd-bench-deliver-'));
  try {
    const filled = join(home, 'filled');
    const store = openEmbeddedStore(filled);
    const items = queuedItems(deliveryItems(of.items));
    for (let at = 0; at < items.length; at += 1000) await store.outbox.restore(items.slice(at, at + 1000));
    await store.close();
    const result: Result = { of, seconds: [], bare: [], peakMb: 0 };
    for (let round = 0; round < repeat; round += 1) {
      const state = join(home, `state-${round}`);
      cpSync(filled, state, { recursive: true });
      const ours = await withStub(of, home, state, async (config) =>
        measureNode([...heap, script('deliver-run'), config]),
      );
      const { seconds, end } = JSON.parse(ours.run.stdout) as { seconds: number; end: DeliveryEnd };
      if (end.sent !== of.items) throw new Error(`${of.name}: ${JSON.stringify(end)}`);
      rmSync(state, { recursive: true });
      const args = [String(of.items), String(of.concurrency)];
      const bare = await withStub(of, home, state, async (config) =>
        measureNode(['--max-semi-space-size=16', script('deliver-bare'), config, ...args]),
      );
      refuseOthers(of, ours.bodies, bare.bodies);
      result.seconds.push(seconds);
      result.bare.push((JSON.parse(bare.run.stdout) as { seconds: number }).seconds);
      result.peakMb = Math.max(result.peakMb, ours.run.peakMb);
    }
    say(
      `${of.name}, ${number(of.items)}: ${list(result.seconds)} s, bare ${list(result.bare)} s, load ${loadavg()[0]!.toFixed(1)}`,
    );
    return result;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function script(name: string): string {
  return join(import.meta.dirname, `${name}.ts`);
}

/** Runs something against a stub of its own, with a configuration that names it; and the bodies that the stub was sent. */
async function withStub<T>(
  { kind, settings }: DeliveryCase,
  home: string,
  state: string,
  act: (config: string) => Promise<T>,
): Promise<{ run: T; bodies: string[] }> {
  const stub = spawn(process.execPath, [script('deliver-stub'), kind], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const [url] = (await once(createInterface(stub.stdout), 'line')) as [string];
    const drop = join(home, 'drop');
    mkdirSync(drop, { recursive: true });
    const config = join(home, 'rosterd.yaml');
    const targets = JSON.stringify({ [targetName]: { kind, url, ...settings } });
    writeFileSync(config, configText(state, drop, undefined, targets));
    const run = await act(config);
    const asked = await fetch(`${url}/_stub/requests?limit=2000`);
    const { requests } = (await asked.json()) as { requests: StubRequest[] };
    const carrying = requests.filter(({ bytes, url: path }) => bytes > 0 && !path.endsWith('/token'));
    return { run, bodies: carrying.map(({ method, bytes, sha256 }) => `${method} ${bytes} ${sha256}`) };
  } finally {
    stub.stdin.end();
    await once(stub, 'close');
  }
}

/** A comparison with something else would be none. The stub remembers the last requests, whose order may differ a little. */
function refuseOthers({ name }: DeliveryCase, ours: readonly string[], bare: readonly string[]): void {
  const [mine, theirs] = [new Set(ours), new Set(bare)];
  const strange = [
    ...ours.slice(-1000).filter((one) => !theirs.has(one)),
    ...bare.slice(-1000).filter((one) => !mine.has(one)),
  ];
  if (!ours.length || strange.length) throw new Error(`${name}: the bare loop sent other bodies: ${strange[0]}`);
}

function report(results: readonly Result[]): void {
  const fastest = (seconds: readonly number[]): number => Math.min(...seconds);
  const share = ({ seconds, bare }: Result): number => fastest(bare) / fastest(seconds);
  const rate = ({ of, seconds }: Result): number => of.items / fastest(seconds);
  say(
    `\n${table(
      ['case', 'items', 'items / s', 'bare loop', '× bare loop', 'peak MB'],
      results.map((one) => [
        one.of.name,
        number(one.of.items),
        number(Math.round(rate(one))),
        number(Math.round(one.of.items / fastest(one.bare))),
        ratio(share(one)),
        one.peakMb.toFixed(0),
      ]),
    )}\n`,
  );
  say('× bare loop: speed as a share of that of a bare undici loop with the same bodies, in items a second\n');
  const verdict = (what: string, met: boolean, found: string): void =>
    say(`${met ? 'met    ' : 'not met'}  ${what}: ${found}`);
  for (const one of results) {
    const { name, items, perSecond } = one.of;
    verdict(
      `${name}, ${number(items)}, at least ${leastShare} × bare loop`,
      share(one) >= leastShare,
      ratio(share(one)),
    );
    if (perSecond !== undefined)
      verdict(
        `${name}, at least ${number(perSecond)} items / s`,
        rate(one) >= perSecond,
        number(Math.round(rate(one))),
      );
  }
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function list(seconds: readonly number[]): string {
  return seconds.map((one) => one.toFixed(2)).join(', ');
}
