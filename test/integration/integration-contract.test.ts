import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Stub } from '../../src/connector/stub.ts';
import { startStubs } from '../../src/daemon.ts';
import { contractFiles } from '../../src/operate/integration/openapi.ts';
import { version } from '../../src/operate/version.ts';
import { validator } from '../support/contract.ts';
import type { Told } from '../support/daemon-site.ts';
import { Api, type Caller, document, headersOf, prefix, written } from '../support/integration-api.ts';

/** What the integration API answers is what its contract files say, endpoint by endpoint, on a real daemon. */

// biome-ignore lint/suspicious/noExplicitAny: a document is what the validator says that it is
type Json = any;

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
    await expect.poll(() => api.daemon.log('integration.decided').map(({ key }) => key)).toContain('registrar');
    await keysAreThoseInForce(api);
    await endIsOrderly(api);
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
  // a line of the log may come after the answer
  const statuses = (): unknown => new Set(api.daemon.log('integration.refused').map(({ status }) => status));
  await expect.poll(statuses).toEqual(new Set([400, 401, 403, 404, 409, 413, 415, 429]));
  const tooMany = (): unknown => api.daemon.log('integration.refused').filter(({ status }) => status === 429).length;
  await expect.poll(tooMany).toBe(3);
  const refusals = api.daemon.log('integration.refused');
  // the log leaves out what is null
  const named = refusals.filter((one) => 'key' in one);
  expect(named, 'with the key, where it is known').toEqual(refusals.filter(({ status }) => status !== 401));

  for (const path of ['%ZZann', `/sync/payload/${'x'.repeat(3000)}`]) {
    const answer = await api.raw('GET', prefix + path, right);
    expect(answer.json, 'what cannot be read is refused like everything else, and not quoted').toEqual({
      success: false,
      error: { kind: 'Misconfigured', message: 'the address cannot be read', remedy: null },
    });
    api.contract.holds('get', `${prefix}/sync/payload/{submissionId}`, answer);
  }
  await api.daemon.says('integration.refused', refusals.length + 2);
  expect(api.daemon.log('integration.refused').slice(-2)).toMatchObject([{ status: 400 }, { status: 400 }]);
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
  let before = '';
  api.site.rewrite((yaml) => {
    before = yaml;
    return yaml.replace(/^integration:\n(?: .*\n)+/m, '');
  });
  await api.control('/v1/reload', {});
  expect(await asks(api.writer)).toBe(404);
  api.site.rewrite(() => before);
  await api.control('/v1/reload', {});
  expect(await asks(api.writer)).toBe(200);
}

/** The end waits for a request in hand, whose answer has its effect; everybody else is told to come back. */
async function endIsOrderly(api: Api): Promise<void> {
  const [{ submissionId }] = await api.list('status=queued&limit=1');
  const body = JSON.stringify({ submissionId, status: 'processing' });
  const headers = {
    ...{ ...headersOf(api.writer), 'content-type': 'application/json' },
    ...{ 'content-length': body.length, expect: '100-continue' },
  };
  const slow = request(`${api.url}${prefix}/sync/ack`, { method: 'POST', headers });
  const answered = once(slow, 'response') as Promise<[IncomingMessage]>;
  slow.write(body.slice(0, 10));
  // its head is there; what comes after it is taken in hand after it
  await once(slow, 'continue');
  await api.get('');
  const ended = api.daemon.stop();
  const turnedAway = async (): Promise<Told> => api.raw('GET', prefix, headersOf(api.writer));
  await expect.poll(async () => (await turnedAway()).status, { timeout: 10_000 }).toBe(503);
  const told = await turnedAway();
  api.contract.holds('get', prefix, told);
  expect(Number(told.headers['retry-after'])).toBeGreaterThan(0);
  slow.end(body.slice(10));
  const [response] = await answered;
  const answer = JSON.parse(await text(response));
  expect([response.statusCode, answer]).toMatchObject([200, { changed: true, data: { status: 'processing' } }]);
  expect(await ended).toBe(0);
}
