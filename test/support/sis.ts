import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished, vi } from 'vitest';
import type { z } from 'zod';
import { sisHttp } from '../../connectors/sis-http/connector.ts';
import type { SisHttpSettings } from '../../connectors/sis-http/schema.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import { dropContext, failure, readAll } from './drop.ts';

/** What tests of HTTP sources share: a real server on loopback that answers by the test's own rule. */

/** One request as the server saw it. */
export interface Asked {
  url: URL;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
  /** From 1. */
  number: number;
}

/** What the rule says; null when it has answered by itself. */
export type Said = { status?: number; headers?: Record<string, string | string[]>; body?: unknown } | null;
export type Rule = (asked: Asked, response: ServerResponse) => Said | Promise<Said>;

export interface SisServer {
  url: string;
  asked: Asked[];
  rule: Rule;
}

/** Starts a server; it is gone when the test is. A body that is no text or bytes is sent as JSON. */
export async function sisServer(rule: Rule, tls?: { key: string; cert: string }): Promise<SisServer> {
  const sis: SisServer = { url: '', asked: [], rule };
  const handler = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url!, sis.url);
    const body = Buffer.concat(chunks).toString('utf8');
    const one = { url, query: url.searchParams, headers: request.headers, body, number: sis.asked.length + 1 };
    sis.asked.push(one);
    const said = await sis.rule(one, response);
    if (said === null) return;
    const isText = typeof said.body === 'string' || said.body instanceof Uint8Array;
    response.writeHead(said.status ?? 200, { 'content-type': 'application/json', ...said.headers });
    response.end(said.body === undefined || isText ? said.body : JSON.stringify(said.body));
  };
  const server = tls ? createTlsServer(tls, handler) : createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  sis.url = `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return sis;
}

/** Settings as a configuration would give them. */
export function sisSettings(written: Record<string, unknown>): SisHttpSettings {
  return sisHttp.settings.parse(written satisfies z.input<typeof sisHttp.settings> | Record<string, unknown>);
}

/** A context whose format wants these columns. */
export function sisContext(required: readonly string[], changes: Partial<SourceContext> = {}): SourceContext {
  return dropContext({ columns: { required, optional: [], exact: false }, ...changes });
}

/** Pulls, and gives the answer back when the test is over. */
export async function pulledSis(settings: SisHttpSettings, context: SourceContext): Promise<Answer> {
  const answer = await sisHttp.pull(settings, context);
  onTestFinished(() => answer!.close());
  return answer!;
}

export interface Person {
  id: string;
  name: { given: string; family: string };
  email: string;
}

/** So many people, each told from the others. */
export function people(count: number, from = 1): Person[] {
  return Array.from({ length: count }, (_, at) => {
    const n = at + from;
    return { id: `S${n}`, name: { given: `Ann ${n}`, family: 'Example' }, email: `ann${n}@example.edu` };
  });
}

/** One page of a list, as `offset` and `limit` ask for it. */
export function slice<T>(all: readonly T[], query: URLSearchParams, most = Number.POSITIVE_INFINITY): T[] {
  const offset = Number(query.get('offset') ?? 0);
  return all.slice(offset, offset + Math.min(Number(query.get('limit') ?? 100), most));
}

/** What the format of most tests wants. */
export const columns = ['id', 'name.given', 'email'];
/** Answers three people. */
export const one: Rule = () => ({ body: people(3) });

/** Pulls once and gives the rows. */
export async function rowsOf(url: string, more: Record<string, unknown> = {}, context = sisContext(columns)) {
  return readAll(await pulledSis(sisSettings({ url, records: '', key: 'id', ...more }), context));
}

/** Pulls once and gives what it fails with. */
export const refusal = (url: string, more: Record<string, unknown> = {}, context = sisContext(columns)) =>
  failure(sisHttp.pull(sisSettings({ url, records: '', key: 'id', ...more }), context));

/** A secret in the environment, by reference. */
export function secret(name: string, value: string): { env: string } {
  vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return { env: name };
}
