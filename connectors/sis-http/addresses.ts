import type { Page } from './read-page.ts';
import type { Paging } from './schema.ts';

/** Addresses of pages: those that are made, and those that a Link header (RFC 8288) says. */

/** Where the first page is. */
export function startOf({ paging, url }: { paging: Paging; url: URL }): URL {
  switch (paging.kind) {
    case 'none':
      return url;
    case 'link':
    case 'cursor':
      return paging.size === undefined ? url : withQuery(url, { [paging.limit]: paging.size });
    case 'offset':
      return withQuery(url, { [paging.limit]: paging.size, [paging.offset]: paging.first });
    case 'page':
      return withQuery(url, { [paging.limit]: paging.size, [paging.page]: paging.first });
  }
}

/** The address with some query parameters set. */
export function withQuery(url: URL, values: Record<string, string | number>): URL {
  const made = new URL(url);
  for (const [name, value] of Object.entries(values)) made.searchParams.set(name, String(value));
  // a space as %20: not every server reads a plus as one
  made.search = made.search.replaceAll('+', '%20');
  return made;
}

/** Where a Link header leads; null where it does not say. */
export function linkTo(headers: Record<string, string>, relation: string): string | null {
  for (const [, target, parameters] of (headers['link'] ?? '').matchAll(
    /<([^>]*)>((?:\s*;[^,;"=]*(?:=(?:"[^"]*"|[^,;"]*))?)*)/g,
  )) {
    const rel = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters!);
    const names = (rel?.[1] ?? rel?.[2] ?? '').toLowerCase().split(/\s+/);
    if (names.includes(relation)) return target!;
  }
  return null;
}

/** The server tells its pages by links, so no next one means that there is none. */
export const tellsPages = (headers: Record<string, string>): boolean =>
  ['first', 'prev', 'previous', 'next', 'last'].some((relation) => linkTo(headers, relation) !== null);

/** Where the last page is, by this one; null where it does not say, undefined where that is no address. */
export function lastOf({ headers, url }: Page): URL | null | undefined {
  const last = linkTo(headers, 'last');
  return last === null ? null : (URL.parse(last, url.href) ?? undefined);
}

/**
 * True when an address is that of this page, by its own or by what the page calls itself. `isFirst`: it is the first one,
 * which is often asked for without the parameters that the server writes into its links.
 */
export function isThis({ headers, url }: Page, address: URL, isFirst: boolean): boolean {
  const names = ['self', 'current', ...(isFirst ? ['first'] : [])].map((relation) => linkTo(headers, relation));
  const own = names.flatMap((to) => (to === null ? [] : [URL.parse(to, url.href)])).filter((to) => to !== null);
  return [url, ...own].some((one) => placeOf(one) === placeOf(address));
}

/** Path and query, whatever their order; without the origin, which is another one behind a gateway. */
function placeOf(url: URL): string {
  const query = new URLSearchParams(url.search);
  query.sort();
  return `${url.pathname}?${query}`;
}
