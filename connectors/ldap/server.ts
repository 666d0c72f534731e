import { PresenceFilter, SearchRequest } from 'ldapts';
import type { Connection } from './connection.ts';
import { type Entry, textsOf } from './entry.ts';

/** What a server says about itself in its root entry. What it does not say stays empty. */
export interface Server {
  kind: 'active-directory' | 'openldap' | 'other';
  name: string;
  namingContexts: readonly string[];
  /** Null when the server keeps to itself what it can do. */
  paging: boolean | null;
  /** The machine, and where its own settings lie: Active Directory only. */
  dnsHostName: string | null;
  dsServiceName: string | null;
  /** Active Directory: the number of the last change. Decimal; it may be larger than a number holds. */
  highestCommittedUSN: string | null;
}

const pagingControl = '1.2.840.113556.1.4.319';
const activeDirectory = '1.2.840.113556.1.4.800';

/** Asks the server who it is. */
export async function askServer(connection: Connection): Promise<Server> {
  const root = await readOne(connection, '', [
    'objectClass',
    'namingContexts',
    'supportedControl',
    'supportedCapabilities',
    'vendorName',
    'vendorVersion',
    'dnsHostName',
    'dsServiceName',
    'highestCommittedUSN',
  ]);
  const all = (name: string): string[] => textsOf(root, name);
  const first = (name: string): string | null => all(name)[0] ?? null;
  const isAd = all('supportedCapabilities').includes(activeDirectory);
  const isOpenLdap = all('objectClass').includes('OpenLDAProotDSE');
  const controls = all('supportedControl');
  const usn = first('highestCommittedUSN');
  const vendor = [first('vendorName'), first('vendorVersion')].filter((word) => word !== null).join(' ');
  const name = isAd ? 'Active Directory' : isOpenLdap ? 'OpenLDAP' : 'a directory server';
  return {
    kind: isAd ? 'active-directory' : isOpenLdap ? 'openldap' : 'other',
    name: vendor ? `${name} (${vendor})` : name,
    namingContexts: all('namingContexts'),
    paging: controls.length ? controls.includes(pagingControl) : null,
    dnsHostName: first('dnsHostName'),
    dsServiceName: first('dsServiceName'),
    highestCommittedUSN: usn !== null && /^\d+$/.test(usn) ? usn : null,
  };
}

/** One entry by its DN; null when it is not there for this account. Throws only when the connection is lost. */
export async function readOne(connection: Connection, dn: string, attributes: string[]): Promise<Entry | null> {
  const answer = connection.search(oneEntry(dn, attributes));
  let found: Entry | null = null;
  for (let entries = await answer.next(); entries; entries = await answer.next()) found = entries[0] ?? found;
  return answer.result?.status === 0 ? found : null;
}

/** A search for the entry itself. */
export function oneEntry(baseDN: string, attributes: string[]): SearchRequest {
  const filter = new PresenceFilter({ attribute: 'objectClass' });
  return new SearchRequest({ messageId: 0, baseDN, scope: 'base', filter, attributes, timeLimit: 0 });
}
