import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePushKey } from '../../src/connector/push-key.ts';
import type { Stub } from '../../src/connector/stub.ts';
import { startStubs } from '../../src/daemon.ts';
import { contractFiles } from '../../src/operate/integration/openapi.ts';
import { version } from '../../src/operate/version.ts';
import { Contract, validator } from '../support/contract.ts';
import { askSocket, DaemonSite, type Process, type Told } from '../support/daemon-site.ts';
import { freePort } from '../support/free-port.ts';

/** What the integration API answers is what its contract files say, endpoint by endpoint, on a real daemon. */

// biome-ignore lint/suspicious/noExplicitAny: a document is what the validator says that it is
type Json = any;

const written = (file: string): string => readFileSync(join(import.meta.dirname, '../../config/schemas', file), 'utf8');
const document = JSON.parse(written('integration.openapi.json')) as Json;
const prefix = '/api/v1/integration';

describe('the contract files', () => {
  test.each(Object.entries(contractFiles(version)))('%s is the one that npm run schemas writes', (file, text) => {
    expect(written(file)).toBe(text);
  });

  test('the document is valid OpenAPI 3.1, and a wrong one would be found', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    const wrong = structuredClone(document);
    wrong.paths[prefix].get.responses = 'none';
    expect((await new Validator().validate(wrong)).valid).toBe(false);
  });

  test.each(['queue-item.schema.json', 'envelope.schema.json'])('%s is valid JSON Schema 2020-12', (file) => {
    const schema = JSON.parse(written(file));
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    const check = validator().compile(schema);
    expect(check({}), 'nothing is no item').toBe(false);
  });
});

/** A key of the configuration with its secret. */
interface Caller {
  key: string;
  secret: string;
}

const headersOf = ({ key, secret }: Caller, family = 'Rosterd'): Record<string, string> => ({
  [`X-${family}-API-Key`]: key,
  [`X-${family}-API-Secret`]: secret,
});

/** A daemon with one target, `crm`, and three callers: one that may write, one that reads, one of two requests an hour. */
class Api {
  readonly contract = new Contract(document);
  readonly texts: string[] = [];
  readonly writer: Caller;
  readonly reader: Caller = { key: 'reader', secret: '' };
  readonly hasty: Caller = { key: 'hasty', secret: '' };
  readonly site: DaemonSite;
  readonly url: string;
  daemon!: Process;

  private constructor(site: DaemonSite, url: string, writer: Caller) {
    this.site = site;
    this.url = url;
    this.writer = writer;
  }

  static async start(crm: string): Promise<Api> {
    const port = await freePort();
    const made = { reader: makePushKey(), hasty: makePushKey() };
    const site = new DaemonSite({
      top: `listen: { port: ${port} }
guards: { removals: { percent: 10, atLeast: 1 } }
integration:
  keys:
    - { key: reader, secret: { sha256: ${made.reader.sha256} }, tenant: north, rate: { requests: 1000 } }
    - { key: hasty, secret: { sha256: ${made.hasty.sha256} }, rate: { requests: 2, per: 1h } }
    - WRITER
targets:
  crm: { kind: salesforce, url: '${crm}', clientId: c, clientSecret: { file: ./secret } }`,
    });
    writeFileSync(join(site.directory, 'secret'), 'stub');
    // as whoever operates it does it
    const command = site.spawn('integration-key', 'registrar', '--write', '--json');
    const { key, secret, sha256, may } = JSON.parse(await command.stdout);
    expect(may).toEqual(['read', 'write']);
    const line = `{ key: ${key}, secret: { sha256: ${sha256} }, may: [${may}], rate: { requests: 1000 } }`;
    site.rewrite((yaml) => yaml.replace('WRITER', line));
    const api = new Api(site, `http://127.0.0.1:${port}`, { key, secret });
    api.reader.secret = made.reader.key;
    api.hasty.secret = made.hasty.key;
    api.daemon = await site.start();
    return api;
  }

  /** A request with nothing of ours between. */
  async raw(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Told> {
    const response = await fetch(this.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    this.texts.push(text, JSON.stringify([...response.headers]));
    return {
      ...{ status: response.status, headers: Object.fromEntries(response.headers), text },
      json: text ? JSON.parse(text) : null,
    };
  }

  /** The same, of a caller; held against the document. `path` is one of the document, with `:id` for an id. */
  async ask(
    status: number,
    method: string,
    path: string,
    { caller = this.writer, body, id }: { caller?: Caller; body?: unknown; id?: string } = {},
  ): Promise<Json> {
    const answer = await this.raw(
      method,
      prefix + path.replace(':id', encodeURIComponent(id ?? '')),
      { ...headersOf(caller), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body === undefined || typeof body === 'string' ? (body as string | undefined) : JSON.stringify(body),
    );
    expect(answer.status, answer.text).toBe(status);
    this.contract.holds(method, prefix + path.replace(/\?.*/, '').replace(':id', '{submissionId}'), answer);
    return answer.json;
  }

  get(path: string, status = 200, id?: string): Promise<Json> {
    return this.ask(status, 'GET', path, id === undefined ? {} : { id });
  }

  send(path: string, body: unknown, status = 200): Promise<Json> {
    return this.ask(status, 'POST', path, { body });
  }

  list(query: string): Promise<Json[]> {
    return this.get(`/sync/queue?${query}`).then(({ data }) => data);
  }

  /** Every page of the queue. */
  async pages(query: string): Promise<Json[]> {
    const all: Json[] = [];
    for (let after = ''; ; ) {
      const { data, next } = await this.get(`/sync/queue?${query}${after && `&after=${encodeURIComponent(after)}`}`);
      all.push(...data);
      if (next === null) return all;
      after = next;
    }
  }

  /** A request at the control socket, which has to go well. */
  async control(path: string, body?: unknown): Promise<Json> {
    const answer = await askSocket(this.site.socket, body === undefined ? 'GET' : 'POST', path, body);
    expect(answer.status, answer.text).toBe(200);
    return answer.json;
  }

  async run(): Promise<void> {
    await this.control('/v1/run', { sources: ['sis'], wait: true });
  }
}

describe('the API', () => {
  let stubs: Stub[];
  beforeAll(async () => {
    stubs = await startStubs({});
  });
  afterAll(async () => {
    await Promise.all(stubs.map((stub) => stub.close()));
  });
  const crm = (): Stub => stubs.find(({ kind }) => kind === 'salesforce')!;

  test('answers at every endpoint what the document says, and never a secret', async () => {
    const api = await Api.start(crm().url);
    expect(await api.get('')).toMatchObject({ message: 'Integration API', tenantId: 'example-university' });
    expect(await api.ask(200, 'GET', '', { caller: api.reader })).toMatchObject({ tenantId: 'north', may: ['read'] });
    expect(await api.get('/openapi.json')).toEqual(document);
    expect(await api.list('')).toEqual([]);

    api.site.drop('sis', 0, 20);
    await api.run();
    await everythingIsShown(api);
    await heldIsNotQueued(api);
    await answersAreTaken(api);
    await othersAreRefused(api);

    api.contract.everyEndpointAsked();
    expect(api.daemon.log('integration.bug', 'push.bug')).toEqual([]);
    expect(api.daemon.log('integration.decided').map(({ key }) => key)).toContain('registrar');
    await keysAreThoseInForce(api);
    expect(await api.daemon.stop()).toBe(0);
    for (const { secret } of [api.writer, api.reader, api.hasty])
      for (const text of [...api.texts, api.daemon.stderr]) expect(text.includes(secret)).toBe(false);
    // ids of submissions have account numbers in them
    expect(api.daemon.stderr).not.toMatch(/950\d{7}/);
  });
});

const itemCheck = (): ReturnType<ReturnType<typeof validator>['compile']> =>
  validator().compile(JSON.parse(written('queue-item.schema.json')));

/** Items and envelopes are those of their own files as well, and pages join to the whole. */
async function everythingIsShown(api: Api): Promise<void> {
  const all = await api.list('limit=500');
  expect(all.filter(({ type }) => type === 'account.create')).toHaveLength(20);
  expect(await api.pages('limit=7')).toEqual(all);
  expect(await api.list('status=sent&limit=500')).toEqual(all);
  expect(await api.list('status=failed')).toEqual([]);
  const [item, envelope] = [itemCheck(), validator().compile(JSON.parse(written('envelope.schema.json')))];
  for (const one of all) {
    item(one);
    expect(item.errors ?? [], JSON.stringify(one)).toEqual([]);
    expect(one).toMatchObject({ targetSystem: 'crm', targetKind: 'salesforce', status: 'sent', lastError: null });
  }
  for (const type of new Set(all.map((one) => one.type))) {
    const { submissionId } = all.find((one) => one.type === type)!;
    const { data } = await api.get('/sync/payload/:id', 200, submissionId);
    envelope(data);
    expect(envelope.errors ?? [], JSON.stringify(data)).toEqual([]);
    expect(data).toMatchObject({ institution: 'example-university', item: { submissionId, status: 'sent' } });
    expect(data.requests.flatMap((one: Json) => one.items)).toContain(submissionId);
  }
}

/** What waits for a person is shown, has the id that it gets, and cannot be moved. The target is paused from here on. */
async function heldIsNotQueued(api: Api): Promise<void> {
  await api.control('/v1/targets/crm/pause', {});
  api.site.drop('sis', 0, 10);
  await api.run();
  const [{ run, digest, status }] = (await api.control('/v1/runs?source=sis&limit=1')).runs;
  expect(status).toBe('held');
  const before = await api.pages('limit=500');
  const held = before.filter((one) => one.status === 'not_queued');
  expect(held.filter(({ type }) => type === 'account.disable')).toHaveLength(10);
  expect(held.every((one) => one.because === 'approval' && one.run === run && one.attempts === 0)).toBe(true);
  expect(before.slice(-held.length), 'last').toEqual(held);
  expect(await api.pages('status=not_queued&limit=3')).toEqual(held);
  expect(await api.pages('limit=7')).toEqual(before);
  const item = itemCheck();
  for (const one of held) expect(item(one), JSON.stringify(item.errors)).toBe(true);

  const [{ submissionId }] = held;
  const payload = await api.get('/sync/payload/:id', 200, submissionId);
  expect(payload.data.item).toEqual(held[0]);
  expect(payload.data.requests.flatMap((one: Json) => one.items)).toContain(submissionId);
  const refused = await api.send('/sync/replay', { submissionId }, 409);
  expect(refused.error.remedy).toContain(run);
  await api.send('/sync/ack', { submissionId, status: 'sent' }, 409);
  expect(await api.pages('limit=500'), 'nothing of it had an effect').toEqual(before);

  await api.control(`/v1/runs/${run}/approve`, { digest });
  expect(await api.list('status=not_queued')).toEqual([]);
  const queued = (await api.pages('limit=500')).filter((one) => one.run === run);
  expect(queued.map((one) => one.submissionId).sort()).toEqual(held.map((one) => one.submissionId).sort());
  expect(new Set(queued.map((one) => one.status))).toEqual(new Set(['queued']));
  await api.get(`/sync/queue?status=not_queued&after=${encodeURIComponent(submissionId)}`, 409);
}

/** Answers in place of the target's, and sending once more. */
async function answersAreTaken(api: Api): Promise<void> {
  const queued = await api.list('status=queued&limit=500');
  const [first, second] = queued.filter(({ type }) => type === 'account.disable');
  const ack = (submissionId: string, more: object, status = 200): Promise<Json> =>
    api.send('/sync/ack', { submissionId, ...more }, status);
  const replay = (submissionId: string, more: object = {}, status = 200): Promise<Json> =>
    api.send('/sync/replay', { submissionId, ...more }, status);

  const all = await api.list('limit=500');
  expect(await replay(first.submissionId)).toMatchObject({ changed: false, data: first });
  expect(await api.list('limit=500'), 'a replay of a queued one changes nothing').toEqual(all);

  const processing = await ack(first.submissionId, { status: 'processing' });
  expect(processing).toMatchObject({ changed: true, data: { status: 'processing', because: 'outside' } });
  expect(await ack(first.submissionId, { status: 'processing' })).toMatchObject({ changed: false });
  expect(await replay(first.submissionId)).toMatchObject({ changed: false, data: { status: 'processing' } });
  expect(await api.list('status=processing')).toEqual([processing.data]);
  const sent = await ack(first.submissionId, { status: 'sent', targetSystem: 'salesforce' });
  expect(sent).toMatchObject({ changed: true, data: { status: 'sent', because: null } });
  expect(await ack(first.submissionId, { status: 'sent' })).toMatchObject({ changed: false, data: sent.data });
  await ack(first.submissionId, { status: 'failed', lastError: 'too late' }, 409);

  const failed = await ack(second.submissionId, { status: 'failed', lastError: 'no such contact' });
  expect(failed).toMatchObject({ changed: true, data: { status: 'failed', lastError: 'no such contact' } });
  expect(await ack(second.submissionId, { status: 'failed', lastError: 'no such contact' })).toMatchObject({
    ...{ changed: false, data: failed.data },
  });
  expect(await api.list('status=failed')).toEqual([failed.data]);
  await replay(second.submissionId, { targetSystem: 'canvas' }, 400);
  const again = await replay(second.submissionId, { targetSystem: 'crm' });
  expect(again).toMatchObject({ changed: true, data: { status: 'queued' } });
}

/** Errors, each as the document has it, and none of them with an effect. */
async function othersAreRefused(api: Api): Promise<void> {
  const before = await api.list('limit=500');
  const submissionId = before.find((one) => one.status === 'queued')!.submissionId as string;
  const { key, secret } = api.writer;
  const right = headersOf(api.writer);

  const denied: Told[] = [];
  for (const headers of [
    {},
    { ...headersOf({ key: 'nobody', secret }) },
    { ...headersOf({ key, secret: `${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}` }) },
    { ...headersOf({ key, secret: '' }) },
    { ...headersOf({ key, secret: api.reader.secret }) },
    { 'X-Rosterd-API-Key': key, 'X-Corvus-API-Secret': secret },
    { ...right, ...headersOf(api.writer, 'Corvus') },
    { authorization: `Bearer ${secret}` },
  ] as Record<string, string>[])
    for (const path of ['', '/sync/queue', '/no/such/path']) {
      const answer = await api.raw('GET', prefix + path, headers);
      expect(answer.status, JSON.stringify(Object.keys(headers))).toBe(401);
      api.contract.holds('get', prefix, answer);
      denied.push(answer);
    }
  const bodies = new Set(denied.map(({ text, headers }) => `${headers['www-authenticate']} ${text}`));
  expect([...bodies], 'what was wrong is not said').toHaveLength(1);
  const known = await api.raw('GET', prefix, headersOf(api.writer, 'Corvus'));
  expect(known.status, 'the other kind alone is right').toBe(200);

  for (const [method, path] of [
    ['GET', '/no/such/path'],
    ['POST', '/sync/queue'],
    ['DELETE', '/sync/ack'],
  ] as const) {
    const answer = await api.raw(method, prefix + path, right);
    expect(answer.status).toBe(404);
    api.contract.holds('get', prefix, answer);
  }
  await api.get('/sync/payload/:id', 404, 'none');
  await api.send('/sync/replay', { submissionId: 'none' }, 404);
  await api.send('/sync/ack', { submissionId: 'none', status: 'sent' }, 404);

  expect((await api.get('/sync/queue?staus=sent', 400)).error.message).toContain('staus');
  for (const query of ['status=lost', 'limit=0', 'limit=501', 'limit=ten', 'after=nowhere', 'after=1&after=2'])
    await api.get(`/sync/queue?${query}`, 400);
  await api.get('?verbose=1', 400);
  for (const body of [
    ...['', '{', '[]', 'null', '\u00ff', {}, { submissionId: 7 }, { submissionId, target: 'crm' }],
    { submissionId, targetSystem: 'no-such' },
  ])
    await api.send('/sync/replay', body, 400);
  for (const more of [{}, { status: 'queued' }, { status: 'failed' }, { status: 'failed', lastError: ' ' }])
    await api.send('/sync/ack', { submissionId, ...more }, 400);
  await api.send('/sync/ack', { submissionId, status: 'sent', lastError: 'none' }, 400);

  for (const path of ['/sync/replay', '/sync/ack'])
    for (const body of [{ submissionId, status: 'sent' }, 'x'.repeat(100_000)])
      await api.ask(403, 'POST', path, { caller: api.reader, body });
  await api.send('/sync/ack', { submissionId, status: 'failed', lastError: 'x'.repeat(70_000) }, 413);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
    const body = JSON.stringify({ submissionId, status: 'sent' });
    const answer = await api.raw('POST', `${prefix}/sync/ack`, { ...right, 'content-type': type }, body);
    expect(answer.status, type).toBe(415);
    api.contract.holds('post', `${prefix}/sync/ack`, answer);
  }

  for (const status of [200, 200, 429, 429]) await api.ask(status, 'GET', '', { caller: api.hasty });
  const late = await api.raw('GET', `${prefix}/sync/queue`, headersOf(api.hasty));
  expect([late.status, Number(late.headers['retry-after'])]).toEqual([
    429,
    expect.toSatisfy((s) => s > 0 && s <= 3600),
  ]);
  await api.get('');

  expect(await api.list('limit=500'), 'nothing of it had an effect').toEqual(before);
  const refusals = api.daemon.log('integration.refused');
  expect(new Set(refusals.map(({ status }) => status))).toEqual(new Set([400, 401, 403, 404, 409, 413, 415, 429]));
  // the log leaves out what is null
  const named = refusals.filter((one) => 'key' in one);
  expect(named, 'with the key, where it is known').toEqual(refusals.filter(({ status }) => status !== 401));
}

/** A reload changes who may call; without `integration` there is nothing. */
async function keysAreThoseInForce(api: Api): Promise<void> {
  const asks = (caller: Caller): Promise<number> =>
    api.raw('GET', prefix, headersOf(caller)).then(({ status }) => status);
  api.site.rewrite((yaml) => yaml.replace('{ key: reader,', '{ key: another,'));
  await api.control('/v1/reload', {});
  expect([await asks(api.reader), await asks({ ...api.reader, key: 'another' }), await asks(api.writer)]).toEqual([
    ...[401, 200, 200],
  ]);
  api.site.rewrite((yaml) => yaml.replace(/^integration:\n(?: .*\n)+/m, ''));
  await api.control('/v1/reload', {});
  expect(await asks(api.writer)).toBe(404);
}
