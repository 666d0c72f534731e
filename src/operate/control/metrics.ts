import Fastify, { type FastifyReply } from 'fastify';
import { Misconfigured, messageOf } from '../../base/errors.ts';
import type { Config } from '../../configure/config.ts';
import { metricsContentType } from '../metrics.ts';
import type { Service } from '../service.ts';

/** Serves `/metrics` over TCP, if the configuration wants it. Throws `Misconfigured` when the port cannot be had. */
export async function openMetrics({ metrics }: Config, service: Service): Promise<{ close(): Promise<void> }> {
  if (!metrics) return { close: async () => {} };
  const server = Fastify({
    forceCloseConnections: true,
    frameworkErrors: (_, __, reply) => refuse(reply, 400, 'the address cannot be read'),
  });
  server.setNotFoundHandler((_, reply) => refuse(reply, 404, 'metrics are at /metrics'));
  server.get('/metrics', async (_, reply) => {
    try {
      return reply.type(metricsContentType).send(await service.metrics());
    } catch (error) {
      return reply.code(503).type('text/plain').send(messageOf(error));
    }
  });
  try {
    await server.listen({ host: metrics.address, port: metrics.port });
  } catch (cause) {
    await server.close();
    throw new Misconfigured(`cannot listen on ${metrics.address} port ${metrics.port}: ${(cause as Error).message}`, {
      remedy: 'is another daemon running? else change metrics',
      cause,
    });
  }
  return { close: async () => void (await server.close()) };
}

function refuse(reply: FastifyReply, status: number, text: string): void {
  reply.code(status).type('text/plain').send(`${text}\n`);
}
