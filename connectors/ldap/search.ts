import { type Filter, FilterParser, PagedResultsControl, SearchRequest, type SearchResponse } from 'ldapts';
import { Incomplete } from '../../src/base/errors.ts';
import type { Answer, Connection } from './connection.ts';
import type { Entry } from './entry.ts';
import { searchRefusal } from './refusal.ts';
import type { LdapSettings, Search } from './schema.ts';
import { oneEntry, type Server } from './server.ts';

/** Searches that end when everything has been said, and not before. */

/** A search as it is sent. */
export interface Query {
  search: Search;
  filter: Filter;
  attributes: string[];
  /** How messages name it. */
  name: string;
}

const people = {
  'active-directory': '(&(objectCategory=person)(objectClass=user))',
  openldap: '(objectClass=person)',
  other: '(objectClass=person)',
};

/** The filter of a search: its own, or people. */
export function filterText(search: Search, server: Server): string {
  return search.filter ?? people[server.kind];
}

/** Puts a search together. */
export function queryOf(search: Search, server: Server, attributes: string[]): Query {
  const text = filterText(search, server);
  return {
    search,
    filter: FilterParser.parseString(text),
    attributes,
    name: `the search below ${search.base} for ${text}`,
  };
}

/** Pages without an entry, one after the other, that are believed. */
const mostEmptyPages = 10_000;

/**
 * All entries of a search, some at a time. An empty page with a cookie is a page like others: access rules and filters are
 * applied by some servers after the page was cut. The next page is asked for while the last entries of one are read.
 */
export async function* entriesOf(
  connection: Connection,
  query: Query,
  server: Server,
  settings: LdapSettings,
): AsyncGenerator<Entry[]> {
  let emptyPages = 0;
  const paged = server.paging !== false;
  const ask = (cookie: Buffer): Answer => connection.search(requestOf(query, paged ? settings.pageSize : null, cookie));
  const following = (page: Answer): Answer | null => {
    const cookie = cookieOf(page.result!, query, paged);
    checkReferences(page.references, query, server, settings);
    return cookie === null ? null : ask(cookie);
  };
  let page: Answer | null = ask(Buffer.alloc(0));
  while (page) {
    let next: Answer | null | undefined;
    let some = false;
    for (let entries = await page.next(); entries; entries = await page.next()) {
      some = true;
      if (page.result && next === undefined) next = following(page);
      yield entries;
    }
    if (next === undefined) next = following(page);
    emptyPages = some ? 0 : emptyPages + 1;
    if (emptyPages > mostEmptyPages)
      throw new Incomplete(`${query.name}: ${mostEmptyPages} pages without an entry, and no end`);
    page = next;
  }
}

function requestOf({ search, filter, attributes }: Query, pageSize: number | null, cookie: Buffer): SearchRequest {
  const paging =
    pageSize === null ? [] : [new PagedResultsControl({ critical: true, value: { size: pageSize, cookie } })];
  const { base: baseDN, scope } = search;
  // the library would ask for no more than 10 seconds
  return new SearchRequest({ messageId: 0, baseDN, scope, filter, attributes, timeLimit: 0, controls: paging });
}

/** Where the next page begins; null at the end. Throws when the answer is not whole. */
function cookieOf(result: SearchResponse, query: Query, paged: boolean): Buffer | null {
  if (result.status !== 0) throw searchRefusal(result, query.name);
  if (!paged) return null;
  const control = result.controls?.find((one) => one instanceof PagedResultsControl);
  if (!control?.value)
    throw new Incomplete(`${query.name}: the server was asked for a page, and does not say whether there are more`);
  const { cookie } = control.value;
  return cookie?.length ? cookie : null;
}

/** Parts of every Active Directory domain that hold no people; a search at its root is always referred to them. */
const withoutPeople = /^(CN=Configuration|CN=Schema|DC=DomainDnsZones|DC=ForestDnsZones),/i;

function checkReferences(references: readonly string[], query: Query, server: Server, settings: LdapSettings): void {
  if (settings.referrals === 'ignore') return;
  const known = (address: string): boolean =>
    server.kind === 'active-directory' && withoutPeople.test(/^ldaps?:\/\/[^/]*\/([^?]*)/i.exec(address)?.[1] ?? '');
  const elsewhere = references.find((address) => !known(address));
  if (elsewhere !== undefined)
    throw new Incomplete(`${query.name}: a part of it lies elsewhere (${elsewhere})`, {
      remedy: 'search there by a source of its own and set referrals: ignore, or search below it only',
    });
}

/** An attribute of which the server gave a part: `member;range=0-1499`. */
const ranged = /^([^;]+);range=(\d+)-(\d+|\*)$/;
/** Parts of one attribute that are fetched. */
const mostParts = 100_000;

/**
 * Fetches what an entry did not give of its large attributes. Active Directory gives 1,500 values, under a name that says
 * so, and an empty attribute beside it: who does not look has emptied a group.
 */
export async function completed(connection: Connection, entry: Entry, query: Query): Promise<void> {
  const { names, values: lists } = entry.attributes;
  for (const [at, description] of names.entries()) {
    if (!description.includes(';range=')) continue;
    const [, name, low, high] = ranged.exec(description) ?? [];
    const odd = (): Incomplete =>
      new Incomplete(`${query.name}: the server gave a part of ${description.split(';')[0]} and not the rest`, {
        remedy: 'run again; the entry may have changed in between',
      });
    if (name === undefined || low !== '0') throw odd();
    const all = [...lists[at]!];
    let last = high!;
    for (let part = 0; last !== '*'; part++) {
      if (Number(last) !== all.length - 1 || part > mostParts) throw odd();
      const answer = connection.search(oneEntry(entry.dn, [`${name};range=${all.length}-*`]));
      let more: { description: string; values: string[] } | undefined;
      for (let found = await answer.next(); found; found = await answer.next()) more = partOf(found[0]!, name);
      const bounds = more && ranged.exec(more.description);
      if (answer.result?.status !== 0 || !bounds || Number(bounds[2]) !== all.length || !more!.values.length)
        throw odd();
      for (const value of more!.values) all.push(value);
      last = bounds[3]!;
    }
    entry.attributes.set(name, all);
  }
}

/** The values of an attribute that an entry gives in part. */
function partOf({ attributes }: Entry, name: string): { description: string; values: string[] } | undefined {
  const at = attributes.names.findIndex((description) => description.startsWith(`${name};range=`));
  return at < 0 ? undefined : { description: attributes.names[at]!, values: attributes.values[at]! };
}
