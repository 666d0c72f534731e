import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { makePushKey } from '../../src/connector/push-key.ts';
import { Contract } from './contract.ts';
import { askSocket, DaemonSite, type Process, type Told } from './daemon-site.ts';
import { freePort } from './free-port.ts';

/** A daemon with the integration API, and requests as its callers make them. */

// biome-ignore lint/suspicious/noExplicitAny: a document is what the validator says that it is
type Json = any;

/** The text of a contract file. */
export const written = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../../config/schemas', file), 'utf8');
/** The contract. */
export const document = JSON.parse(written('integration.openapi.json')) as Json;
/** Where the API is. */
export const prefix = '/api/v1/integration';

/** A key of the configuration with its secret. */
export interface Caller {
  key: string;
  secret: string;
}

/** What a caller shows. */
export const headersOf = ({ key, secret }: Caller, family = 'Rosterd'): Record<string, string> => ({
  [`X-${family}-API-Key`]: key,
  [`X-${family}-API-Secret`]: secret,
});

/** A daemon with one target, `crm`, and three callers: one that may write, one that reads, one of two requests an hour. */
export class Api {
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
