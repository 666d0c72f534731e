import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Stub } from '../../src/connector/stub.ts';
import { startStubs } from '../../src/daemon.ts';
import { openapiFile, openapiText } from '../../src/operate/control/openapi.ts';
import { version } from '../../src/operate/version.ts';
import { askSocket, DaemonSite, type Told } from '../support/daemon-site.ts';

/** What the socket answers is what its OpenAPI document says, endpoint by endpoint, on a real daemon. */

// biome-ignore lint/suspicious/noExplicitAny: a document is what the validator says that it is
type Json = any;

const written = readFileSync(join(import.meta.dirname, '../../config/schemas', openapiFile), 'utf8');
const document = JSON.parse(written) as Json;

/** A schema with what it refers to in its place. */
function whole(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(whole);
  if (typeof schema !== 'object' || schema === null) return schema;
  if (schema.$ref) return whole(document.components.schemas[schema.$ref.split('/').at(-1)]);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, whole(value)]));
}

const asked = new Set<string>();

/** Holds an answer against the document. */
function expectAsDocumented(method: string, path: string, answer: Told): void {
  const operation = document.paths[path][method];
  asked.add(operation.operationId);
  const response = operation.responses[answer.status];
  expect(response, `${operation.operationId} may answer ${answer.status}`).toBeDefined();
  const [[type, { schema }]] = Object.entries(response.content) as [[string, Json]];
  expect(String(answer.headers['content-type'])).toContain(type);
  const check = z.fromJSONSchema(whole(schema));
  const values = type.includes('ndjson')
    ? answer.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [answer.json ?? answer.text];
  expect(values.length).toBeGreaterThan(0);
  for (const value of values) expect(check.safeParse(value).error?.issues ?? [], JSON.stringify(value)).toEqual([]);
}

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
      expectAsDocumented('get', template, answer);
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
      expectAsDocumented(method.toLowerCase(), template, answer);
      return answer.json ?? answer.text;
    };

    await get('/v1/status');
    const streamed: string = await send('/v1/run', { wait: true }, 200);
    expect(streamed).toContain('"type":"delivery"');
    expect(await send('/v1/run', { sources: ['hr'], dryRun: true }, 202)).toEqual({ accepted: ['hr'] });
    await daemon.says('run.unchanged');
    site.drop('sis', 10, 20);
    await send('/v1/run', { sources: ['sis'], wait: true }, 200);
    const { runs } = await get('/v1/runs?source=sis&limit=1');
    const [{ run, digest, status }] = runs;
    expect(status).toBe('held');
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

    const { items } = await get('/v1/queue?target=crm&status=sent&limit=5');
    expect(items).toHaveLength(5);
    expect(await get('/v1/metrics')).toMatch(/^rosterd_runs_total\{source="sis",status="held"\} 2$/m);
    expect(await send('/v1/reload', undefined, 200)).toEqual({ live: [], restart: [] });
    expect(await send('/v1/log-level', { level: 'debug' }, 200, '/v1/log-level', 'PUT')).toEqual({ level: 'debug' });
    expect(await get('/v1/log-level')).toEqual({ level: 'debug' });
    expect(await get('/v1/openapi.json')).toEqual(document);
    await get('/v1/status');

    await get('/v1/runs/none', '/v1/runs/{run}', 404);
    await get('/v1/runs?limit=0', '/v1/runs', 400);
    await get('/v1/runs?lmit=1', '/v1/runs', 400);
    await get(`/v1/runs/${run}/plan?after=x`, '/v1/runs/{run}/plan', 400);
    await send('/v1/run', { sources: ['nobody'] }, 400);
    await send('/v1/run', '{', 400);
    await send('/v1/log-level', { level: 'loud' }, 400, '/v1/log-level', 'PUT');
    expect((await askSocket(site.socket, 'GET', '/v2')).json.error.kind).toBe('Misconfigured');
    expect(daemon.log('control.bug')).toEqual([]);

    const operations = Object.values(document.paths).flatMap((path) => Object.values(path as object));
    expect([...asked].sort(), 'every endpoint is asked here').toEqual(
      operations.map(({ operationId }) => operationId).sort(),
    );
    expect(await daemon.stop()).toBe(0);
  });
});
