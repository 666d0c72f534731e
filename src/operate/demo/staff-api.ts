import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import type { Campus } from './campus.ts';

/** A stand-in that the demo reads, on 127.0.0.1. */
export interface StandIn {
  /** With its port. */
  url: string;
  close(): Promise<void>;
}

const pageSize = 50;

/**
 * The API of a staff system: pages by offset, a declared total, a key in a header. `campus` says what it has at the moment;
 * when that is less than it declares, its last page is short, as when a system goes down in the middle.
 */
export async function startStaffApi(key: string, campus: () => Campus): Promise<StandIn> {
  const server = Fastify({ forceCloseConnections: true });
  server.get<{ Querystring: { offset?: string; limit?: string } }>('/v2/staff', async (request, reply) => {
    if (request.headers['x-api-key'] !== key) return reply.code(401).send({ error: 'unknown key' });
    const { staff, staffTotal } = campus();
    const offset = Number(request.query.offset ?? 0);
    const limit = Math.min(Number(request.query.limit ?? pageSize), pageSize);
    return { total: staffTotal, items: staff.slice(offset, offset + limit) };
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${(server.server.address() as AddressInfo).port}/v2/staff`,
    close: () => server.close(),
  };
}
