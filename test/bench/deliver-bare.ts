import { setTimeout as wait } from 'node:timers/promises';
import pLimit from 'p-limit';
import { Agent, request } from 'undici';
import { readConfig } from '../../src/daemon.ts';
import { deliveryItems, secretVariable } from './deliver-cases.ts';

/**
 * The least that anybody needs to bring a target the same items: a loop over undici that sends the very same bodies, made
 * beforehand, with the same requests side by side and the same looks at jobs and imports; it reads answers, and draws no
 * conclusions. Prints seconds. Usage: deliver-bare.ts CONFIG ITEMS CONCURRENCY
 */
const [, , file = '', count = '', concurrency = ''] = process.argv;
const { targets, institution } = readConfig(file);
const [{ name, connector, settings }] = targets as [(typeof targets)[number]];
const { url } = settings as { url: string };
const secret = process.env[secretVariable]!;

const items = deliveryItems(Number(count));
const size = connector.batchSize(settings);
const requests = Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
  connector.preview(settings, { target: name, institution }, items.slice(at * size, (at + 1) * size)),
).flat();
items.length = 0;

const dispatcher = new Agent();
interface Sent {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string | null;
}
async function send({ method, url, headers = {}, body = null }: Sent): Promise<string> {
  const answer = await request(url, { method: method as 'GET', headers, body, dispatcher });
  const text = await answer.body.text();
  if (answer.statusCode > 299) throw new Error(`${method} ${url}: ${answer.statusCode} ${text.slice(0, 500)}`);
  return text;
}

async function logIn(): Promise<string> {
  if (connector.kind === 'canvas') return `Bearer ${secret}`;
  if (connector.kind === 'peoplesoft') return `Basic ${Buffer.from(`ROSTERD:${secret}`).toString('base64')}`;
  const grant = { grant_type: 'client_credentials', client_id: 'bench', client_secret: secret };
  const text = await send({
    ...{ method: 'POST', url: `${url}/services/oauth2/token`, body: new URLSearchParams(grant).toString() },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  return `Bearer ${(JSON.parse(text) as { access_token: string }).access_token}`;
}

const { bulk, pollEvery = bulk?.pollEvery ?? 0 } = settings as {
  pollEvery?: number;
  bulk?: { pollEvery: number } | null;
};
/** Looks until it says this, at the connector's times: of an import the first look comes after a pause, and sooner. */
async function watch(address: string, authorization: string, ended: RegExp): Promise<void> {
  const canvas = connector.kind === 'canvas';
  let pause = canvas ? pollEvery / 8 : pollEvery;
  for (let looks = 0; ; looks += 1) {
    if (canvas || looks > 0) {
      await wait(pause);
      pause = Math.min(pause * 1.5, pollEvery * 15);
    }
    if (ended.test(await send({ method: 'GET', url: address, headers: { authorization } }))) return;
  }
}

const began = performance.now();
const authorization = await logIn();
const limit = pLimit(Number(concurrency));
let job = '';
await limit.map(requests, async (one) => {
  const address = one.url.replace('{job}', job);
  const text = await send({ ...one, url: address, headers: { ...one.headers, authorization } });
  if (connector.kind === 'canvas') {
    const { id } = JSON.parse(text) as { id: number };
    const imports = new URL(address);
    await watch(`${imports.origin}${imports.pathname}/${id}`, authorization, /"workflow_state":"imported/);
  }
  if (!bulk) return;
  if (address.endsWith('/jobs/ingest')) job = (JSON.parse(text) as { id: string }).id;
  if (one.method !== 'PATCH') return;
  await watch(address, authorization, /"state":"JobComplete"/);
  for (const set of ['successfulResults', 'failedResults', 'unprocessedrecords'])
    await send({ method: 'GET', url: `${address}/${set}`, headers: { authorization } });
  await send({ method: 'DELETE', url: address, headers: { authorization } });
});
const seconds = (performance.now() - began) / 1000;
await dispatcher.close();
process.stdout.write(JSON.stringify({ seconds }));
