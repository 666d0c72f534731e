import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { sisHttp } from '../../../connectors/sis-http/connector.ts';
import { authority } from '../../support/certificate.ts';
import { drop, temporaryFolder } from '../../support/drop.ts';
import { sisSettings } from '../../support/sis.ts';
import { asking, type SourceRig, sourceConformance } from '../source.ts';

describe('source contract: sis-http over TLS', () => {
  let rig: SourceRig;
  beforeAll(async () => {
    rig = await open();
  });
  afterAll(() => rig?.stop());
  sourceConformance(() => rig);
});

const key = 'right-key';

/** People in pages by offset, for whoever has the key; `/cut` ends the connection in the middle of page 3. */
async function open(): Promise<SourceRig> {
  const [own, strange] = [authority(), authority()];
  const people = Array.from({ length: 2000 }, (_, n) => ({
    id: `i${n}`,
    mail: `p${n}@x.edu`,
    name: { family: `L ${n}` },
  }));
  const server = createServer(own.issue('127.0.0.1'), (request, response) => {
    const url = new URL(request.url!, 'https://127.0.0.1');
    if (request.headers['x-api-key'] !== key) return void response.writeHead(401).end('who is that?');
    const [offset, limit] = ['offset', 'limit'].map((name) => Number(url.searchParams.get(name)));
    const all = url.pathname === '/nobody' ? [] : people;
    const body = JSON.stringify({ total: all.length, data: all.slice(offset, offset! + limit!) });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    if (url.pathname !== '/cut' || offset! < 1000) return void response.end(body);
    response.write(body.slice(0, 1000), () => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const secret = (text: string) => ({ file: drop(temporaryFolder(), 'secret', text) });
  const trust = (pem: string): string => {
    const file = join(temporaryFolder(), 'ca.pem');
    writeFileSync(file, pem);
    return file;
  };
  const settings = (more: Record<string, unknown> = {}, path = '/people', at = port) => ({
    settings: sisSettings({
      ...{ url: `https://127.0.0.1:${at}${path}`, ca: trust(own.cert), records: 'data', key: 'id' },
      ...{ paging: { kind: 'offset', size: 500 }, total: { path: 'total' }, timeout: '1s' },
      auth: { kind: 'header', name: 'X-API-Key', value: secret(key) },
      ...more,
    }),
  });
  return asking({
    connector: sisHttp,
    columns: ['id', 'mail', 'name.family'],
    rows: people.length,
    secrets: [key, 'wrong-key'],
    good: settings,
    cases: {
      'wrong credentials': () => settings({ auth: { kind: 'header', name: 'X-API-Key', value: secret('wrong-key') } }),
      'wrong trust': () => settings({ ca: trust(strange.cert) }),
      silence: ({ port }) => settings({}, '/people', port),
      'nobody there': (port) => settings({}, '/people', port),
      'half an answer': () => settings({}, '/cut'),
      'an answer that is larger than the settings allow': () => settings({ maxRecords: 1999 }),
      'an empty answer': { declared: () => settings({}, '/nobody') },
    },
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  });
}
