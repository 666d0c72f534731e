import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Stub } from '../../src/connector/stub.ts';
import { startStubs } from '../../src/daemon.ts';
import { openapiFile, openapiText } from '../../src/operate/control/openapi.ts';
import { version } from '../../src/operate/version.ts';
import { Contract } from '../support/contract.ts';
import { askSocket, DaemonSite } from '../support/daemon-site.ts';
import { line, lines } from '../support/installation.ts';

/** What the socket answers is what its OpenAPI document says, endpoint by endpoint, on a real daemon. */

// biome-ignore lint/suspicious/noExplicitAny: a document is what the validator says that it is
type Json = any;

const written = readFileSync(join(import.meta.dirname, '../../config/schemas', openapiFile), 'utf8');
const document = JSON.parse(written) as Json;

const contract = new Contract(document);

describe('the document', () => {
  test('is the one that the schemas make; npm run schemas writes it', () => {
    expect(written).toBe(openapiText(version));
  });

  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  test('a wrong one would be found', async () => {
    const wrong = structuredClone(document);
    wrong.paths['/v1/status'].get.responses = 'none';
    expect((await new Validator().validate(wrong)).valid).toBe(false);
  });
});

describe('the socket', () => {
  let stubs: Stub[];
  beforeAll(async () => {
    stubs = await startStubs({});
  });
  afterAll(async () => {
    await Promise.all(stubs.map((stub) => stub.close()));
  });

  test('answers at every endpoint what the document says, and errors as it says', async () => {
    const { url } = stubs.find(({ kind }) => kind === 'salesforce')!;
    const site = new DaemonSite({
      top: `guards: { removals: { percent: 10, atLeast: 1 } }
targets:
  crm: { kind: salesforce, url: '${url}', clientId: c, clientSecret: { file: ./secret } }`,
    });
    writeFileSync(join(site.directory, 'secret'), 'stub');
    site.drop('sis', 0, 20);
    site.drop('hr', 20, 30);
    const daemon = await site.start();
    const get = async (path: string, template = path.replace(/\?.*/, ''), status = 200): Promise<Json> => {
      const answer = await askSocket(site.socket, 'GET', path);
      expect(answer.status, answer.text).toBe(status);
      contract.holds('get', template, answer);
      return answer.json ?? answer.text;
    };
    const send = async (
      path: string,
      body: unknown,
      status: number,
      template = path,
      method = 'POST',
    ): Promise<Json> => {
      const answer = await askSocket(site.socket, method, path, body);
      expect(answer.status, answer.text).toBe(status);
      contract.holds(method, template, answer);
      return answer.json ?? answer.text;
    };

    await get('/v1/status');
    const streamed: string = await send('/v1/run', { wait: true }, 200);
    expect(streamed).toContain('"type":"delivery"');
    expect(await send('/v1/run', { sources: ['hr'], dryRun: true }, 202)).toEqual({ accepted: ['hr'] });
    await daemon.says('run.unchanged');
    site.drop('sis', 10, 20);
    await send('/v1/run', { sources: ['sis'], wait: true }, 200);
    const { runs, waiting } = await get('/v1/runs?source=sis&limit=1');
    const [{ run, digest, status }] = runs;
    expect([status, waiting]).toEqual(['held', [run]]);
    expect((await get(`/v1/runs/${run}`, '/v1/runs/{run}')).digest).toBe(digest);

    const planOf = (query: string): Promise<Json> => get(`/v1/runs/${run}/plan${query}`, '/v1/runs/{run}/plan');
    const all = await planOf('');
    const paged: unknown[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const page: Json = await planOf(`?limit=3${next && `&after=${next}`}`);
      expect(page.changes.length).toBeLessThanOrEqual(3);
      paged.push(...page.changes);
      next = page.next;
    }
    expect(paged).toEqual(all.changes);
    expect(paged).toHaveLength(20);

    const approve = `/v1/runs/${run}/approve`;
    await send(approve, { digest: 'short' }, 400, '/v1/runs/{run}/approve');
    await send(approve, { digest: 'f'.repeat(64) }, 400, '/v1/runs/{run}/approve');
    const approved = await send(approve, { digest }, 200, '/v1/runs/{run}/approve');
    expect(approved.deliveries).toMatchObject([{ target: 'crm', failed: 0, error: null }]);
    await send(approve, { digest }, 400, '/v1/runs/{run}/approve');

    site.drop('sis', 15, 20);
    await send('/v1/run', { sources: ['sis'], wait: true }, 200);
    const second = (await get('/v1/runs?source=sis&limit=1')).runs[0];
    const rejected = await send(`/v1/runs/${second.run}/reject`, undefined, 200, '/v1/runs/{run}/reject');
    expect(rejected.run.decision.verdict).toBe('rejected');

    await snapshotsAreAsked(get);
    await queueIsAsked(get, send);
    expect(await get('/v1/metrics')).toMatch(/^rosterd_runs_total\{source="sis",status="held"\} 2$/m);
    expect(await send('/v1/reload', undefined, 200)).toEqual({ live: [], restart: [] });
    expect(await send('/v1/log-level', { level: 'debug' }, 200, '/v1/log-level', 'PUT')).toEqual({ level: 'debug' });
    expect(await get('/v1/log-level')).toEqual({ level: 'debug' });
    expect(await get('/v1/openapi.json')).toEqual(document);
    await get('/v1/status');
    await discrepanciesAreAsked(site, get, send);

    await get('/v1/runs/none', '/v1/runs/{run}', 404);
    await get('/v1/runs?limit=0', '/v1/runs', 400);
    await get('/v1/runs?lmit=1', '/v1/runs', 400);
    await get(`/v1/runs/${run}/plan?after=x`, '/v1/runs/{run}/plan', 400);
    await send('/v1/run', { sources: ['nobody'] }, 400);
    await send('/v1/run', '{', 400);
    await send('/v1/log-level', { level: 'loud' }, 400, '/v1/log-level', 'PUT');
    expect((await askSocket(site.socket, 'GET', '/v2')).json.error.kind).toBe('Misconfigured');
    for (const path of ['/v1/runs/%ZZ', `/v1/runs/${'x'.repeat(3000)}`]) {
      const answer = await askSocket(site.socket, 'GET', path);
      expect(answer.json, 'what cannot be read is told like everything else, and not quoted').toEqual({
        error: { kind: 'Misconfigured', message: 'the address cannot be read', remedy: null },
      });
      contract.holds('get', '/v1/runs/{run}', answer);
    }
    expect(daemon.log('control.bug')).toEqual([]);

    contract.everyEndpointAsked();
    expect(await daemon.stop()).toBe(0);
  });
});

type Ask = (path: string, template?: string, status?: number) => Promise<Json>;
type Send = (path: string, body: unknown, status: number, template?: string) => Promise<Json>;

/** Snapshots of a source that has taken several, each with fewer people than the one before. */
async function snapshotsAreAsked(get: Ask): Promise<void> {
  const { snapshots } = await get('/v1/snapshots?source=sis&limit=2');
  const [to, from] = snapshots;
  expect(snapshots.map((one: Json) => one.inForce)).toEqual([true, false]);
  expect((await get('/v1/snapshots?source=sis&skip=1&limit=1')).snapshots).toEqual([from]);
  const compare = (a: string, b: string, query: string, status = 200): Promise<Json> =>
    get(`/v1/snapshots/${a}/compare/${b}${query}`, '/v1/snapshots/{from}/compare/{to}', status);
  const first = await compare(from.snapshot, to.snapshot, '?limit=3');
  expect(first).toMatchObject({ from, to, added: 0, gone: 5, next: 3 });
  const rest = await compare(from.snapshot, to.snapshot, '?begin=3');
  expect(rest.next).toBe(null);
  const all = [...first.differences, ...rest.differences];
  expect(all.map(({ what, fields }: Json) => [what, fields])).toEqual(Array.from({ length: 5 }, () => ['gone', []]));
  const { id } = first.differences[0].from.record;
  const explained = await get(`/v1/explain?who=${id}`, '/v1/explain');
  expect(explained).toMatchObject({ who: id, course: null, more: false, rows: [{ state: 'gone' }] });
  expect(explained.history.map(({ type, became }: Json) => `${type} ${became}`)).toContain('account.create applied');
  await get('/v1/explain?who=nobody', '/v1/explain', 404);
  await get('/v1/explain', '/v1/explain', 400);
  await compare(from.snapshot, 'sis-99', '', 404);
  await get('/v1/snapshots?limit=0', '/v1/snapshots', 400);
}

/** Every endpoint of the queue, on a site with one target, `crm`, that everything was delivered to. */
async function queueIsAsked(get: Ask, send: Send): Promise<void> {
  const { items, next } = await get('/v1/queue?target=crm&status=sent&limit=5');
  expect(items).toHaveLength(5);
  expect((await get(`/v1/queue?target=crm&status=sent&limit=5&after=${next}`)).items[0].seq).toBeGreaterThan(next);
  const all: Json[] = (await get('/v1/queue?limit=1000')).items;
  const enrolment = all.findLast(({ type, status }) => type === 'enrolment.remove' && status === 'sent');
  const ids = [items[0].item, enrolment.item];
  for (const id of ids)
    expect((await get(`/v1/queue/${encodeURIComponent(id)}`, '/v1/queue/{item}')).item, 'however long it is').toBe(id);
  await get('/v1/queue/none', '/v1/queue/{item}', 404);
  await get('/v1/queue?status=lost', '/v1/queue', 400);

  const { requests } = await send('/v1/queue/preview', { items: ids }, 200);
  expect(requests.flatMap((one: Json) => one.items).sort()).toEqual([...new Set(ids)].sort());
  expect(await send('/v1/queue/preview', { target: 'crm' }, 200)).toEqual({ requests: [] });
  await send('/v1/queue/preview', { items: ['none'] }, 404);
  await send('/v1/queue/preview', { target: 'nobody' }, 404);

  const pause = '/v1/targets/{target}/pause';
  const resume = '/v1/targets/{target}/resume';
  expect(await send('/v1/targets/crm/pause', { reason: 'rollover' }, 200, pause)).toEqual({
    target: 'crm',
    changed: true,
  });
  expect((await send('/v1/targets/crm/pause', {}, 200, pause)).changed).toBe(false);
  await send('/v1/targets/nobody/pause', {}, 404, pause);
  expect(await send('/v1/queue/replay', { items: [enrolment.item] }, 200)).toMatchObject({
    replayed: [enrolment.item],
  });
  expect(await send('/v1/queue/replay', { items: [enrolment.item] }, 200)).toMatchObject({
    ...{ replayed: [], left: [{ item: enrolment.item, why: 'it is queued already' }] },
  });
  await send('/v1/queue/replay', { target: 'nobody' }, 404);
  await send('/v1/queue/replay', { persons: ['x'] }, 400);

  const ack = (body: object, status: number): Promise<Json> => send('/v1/queue/ack', body, status);
  expect(await ack({ item: enrolment.item, status: 'processing' }, 200)).toMatchObject({ because: 'outside' });
  await ack({ item: enrolment.item, status: 'failed' }, 400);
  await ack({ item: enrolment.item, status: 'sent', target: 'canvas' }, 400);
  const failed = await ack({ item: enrolment.item, status: 'failed', answer: 'no such course' }, 200);
  expect(failed).toMatchObject({ status: 'failed', answer: 'no such course' });
  expect(await ack({ item: enrolment.item, status: 'sent', answer: 'by hand' }, 200)).toMatchObject({ status: 'sent' });
  await ack({ item: enrolment.item, status: 'failed', answer: 'too late' }, 409);
  await ack({ item: 'none', status: 'sent' }, 404);

  const fill = '/v1/targets/{target}/fill';
  expect((await send('/v1/targets/crm/fill', undefined, 200, fill)).queued).toBeGreaterThan(20);
  await send('/v1/targets/nobody/fill', undefined, 404, fill);
  const moved = '/v1/targets/{target}/moved';
  await send('/v1/targets/crm/moved', { platform: 'same' }, 409, moved);
  await send('/v1/targets/crm/moved', { platform: 'another' }, 400, moved);
  await send('/v1/targets/nobody/moved', { platform: 'new' }, 404, moved);
  expect(await send('/v1/targets/crm/resume', undefined, 200, resume)).toEqual({ target: 'crm', changed: true });
  await send('/v1/targets/nobody/resume', undefined, 404, resume);
}

/** The endpoints about people of whom the source says two things. */
async function discrepanciesAreAsked(site: DaemonSite, get: Ask, send: Send): Promise<void> {
  expect(await get('/v1/discrepancies')).toEqual({ discrepancies: [] });
  site.dropRows('hr', [...lines(20, 29), line(29), line(29).replace(',id29', ',other29')]);
  await send('/v1/run', { sources: ['hr'], wait: true }, 200);
  const { discrepancies } = await get('/v1/discrepancies');
  expect(discrepancies).toMatchObject([{ source: 'hr', reviewed: null }]);
  const [{ account, digest }] = discrepancies;
  const review = (body: object, status: number): Promise<Json> => send('/v1/discrepancies/review', body, status);
  await review({ account, discrepancy: 'none' }, 404);
  await review({ person: account }, 400);
  expect(await review({ account, discrepancy: digest, note: 'called' }, 200)).toMatchObject({
    discrepancies: [{ account, reviewed: { note: 'called' } }],
  });
}
