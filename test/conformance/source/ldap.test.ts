import { afterAll, beforeAll } from 'vitest';
import { ldap } from '../../../connectors/ldap/connector.ts';
import { as, ldapSettings } from '../../support/ldap/pull.ts';
import { person, slapdMissing, startSlapd } from '../../support/ldap/slapd.ts';
import { requireServer } from '../../support/requirements.ts';
import { asking, type SourceRig, sourceConformance } from '../source.ts';

requireServer('ldap', slapdMissing)('source contract: ldap on OpenLDAP', () => {
  let rig: SourceRig;
  beforeAll(async () => {
    rig = await open();
  }, 60_000);
  afterAll(() => rig?.stop());
  sourceConformance(() => rig);
});

async function open(): Promise<SourceRig> {
  const server = await startSlapd(Array.from({ length: 2000 }, (_, n) => person(n)).join(''));
  const settings = (more: Record<string, unknown> = {}) => ({
    settings: ldapSettings({
      ...{ url: server.ldaps, ca: server.ca, base: `ou=people,${server.suffix}`, pageSize: 500 },
      ...{ connectTimeout: '1s', timeout: '2s' },
      ...as(server.reader),
      ...more,
    }),
  });
  return asking({
    connector: ldap,
    columns: ['cn', 'mail', 'sn', 'givenName', '@stableId'],
    rows: 2000,
    secrets: [server.reader.password, 'wrong-password'],
    good: settings,
    cases: {
      'wrong credentials': () => settings(as({ dn: server.reader.dn, password: 'wrong-password' })),
      'wrong trust': () => settings({ ca: server.strangeCa }),
      silence: ({ port }) => settings({ url: `ldaps://127.0.0.1:${port}` }),
      'nobody there': (port) => settings({ url: `ldaps://127.0.0.1:${port}` }),
      // the server gives 500 entries and says that there are more
      'half an answer': () => settings({ ...as(server.limited), pageSize: 1000 }),
      'an answer that is larger than the settings allow': () => settings({ maxEntries: 1999 }),
      'an empty answer': { refused: () => settings(as(server.blind)) },
    },
    stop: () => server.stop(),
  });
}
