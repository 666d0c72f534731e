import type { SourceConnector } from '../../src/connector/source.ts';
import { probe, pull } from './pull.ts';
import { type LdapSettings, settings } from './schema.ts';

/** People in an LDAP directory or in Active Directory. */
export const ldap: SourceConnector<LdapSettings> = {
  kind: 'ldap',
  direction: 'source',
  description: 'entries of an LDAP directory or of Active Directory',
  settings,
  defaultMap: { id: 'cn', alias: '@stableId', email: 'mail', firstName: 'givenName', lastName: 'sn' },
  pull,
  probe,
};
