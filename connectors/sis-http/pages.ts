/** Over 400 lines: what ends a list and what proves it whole are one judgement over the same counts. */
import { createHash } from 'node:crypto';
import { Incomplete } from '../../src/base/errors.ts';
import { isThis, lastOf, linkTo, startOf, tellsPages, withQuery } from './addresses.ts';
import { type Client, nameOf } from './client.ts';
import { type Json, type Path, pathText, valueAt } from './path.ts';
import { type OnRecord, type Page, type PageShape, readPage } from './read-page.ts';
import type { Paging } from './schema.ts';
import { Seen } from './seen.ts';

/**
 * A list that comes in pages, read whole or not at all.
 *
 * A server cuts its list anew for each request. When a record goes or comes while we read, the cuts move, and a record
 * falls between two pages without any sign of it. What is proved, therefore:
 *
 * - no record comes twice (by its key, or else as a whole), which is what a record that came does to the pages;
 * - the total that the server declares stays the same, and is what has come;
 * - every page but the last has as many records as the first one (offset and page);
 * - the end is said, never guessed: by the total, by a Link header, by an empty page. A page with fewer records than were
 *   asked for says nothing: how many a server gives at most is its own business;
 * - `verify`. `first`: the first page is asked for again at the end and must bring the same records and total. That
 *   sees what came or went before its end, and with a total everything that did not cancel out. `overlap`: besides, each
 *   page begins with the last record of the one before, so that nothing can move across a cut unseen.
 */

/** A list to read. */
export interface Collection extends PageShape {
  url: URL;
  key: Path | undefined;
  paging: Paging;
  /** The server said that it would declare a total: an answer without one is not whole. */
  totalRequired: boolean;
  verify: 'first' | 'overlap' | 'off';
  concurrency: number;
  maxRecords: number;
}

/** So many pages in a row without a record, with a Link header that leads on, are a loop. */
const mostEmpty = 10;
/** More pages than this are a loop. */
const mostPages = 1_000_000;

/** Takes a record with its place: the page and the index on it, both from 1. */
export type OnPlaced = (record: Json, page: number, index: number) => Promise<void> | void;

/** Told with each record how many have come, and of how many where that is known. */
export type OnCame = (records: number, total: number | null) => void;

/** Reads a list whole, and gives its records away as they come; they count only when this has not thrown. */
export function readList(client: Client, list: Collection, onRecord: OnPlaced, onCame: OnCame): Promise<void> {
  return new Reading(client, list, onRecord, onCame).run();
}

/** Reads the first page alone. */
export function readFirst(client: Client, list: Collection, onRecord: OnRecord): Promise<Page> {
  return readPage(client, startOf(list), list, true, onRecord);
}

/** How far a list has come, for whoever watches. */
export const progressText = (records: number, total: number | null, what = 'records'): string =>
  `${records.toLocaleString('en')}${total === null ? '' : ` of ${total.toLocaleString('en')}`} ${what}`;

/** How the next page is asked for. `after`: its first record has to be the last one of the page before. */
interface Next {
  url: URL;
  after: string | null;
}

class Reading {
  readonly #client: Client;
  readonly #list: Collection;
  readonly #onRecord: OnPlaced;
  readonly #onCame: OnCame;
  readonly #seen = new Seen();
  readonly #addresses = new Set<string>();
  #records = 0;
  #pages = 0;
  #first: Page | null = null;
  /** Digest of the names of the first page's records. */
  #firstNames = '';
  #last: string | null = null;
  /** A page that had fewer records than the first one: it must be the last. */
  #short: number | null = null;
  /** Pages in a row without a record, whose Link header leads on. */
  #empty = 0;
  /** Records of pages in flight that wait for the pages before. */
  #early = 0;
  constructor(client: Client, list: Collection, onRecord: OnPlaced, onCame: OnCame) {
    this.#client = client;
    this.#list = list;
    this.#onRecord = onRecord;
    this.#onCame = onCame;
  }

  get #name(): string {
    return nameOf(this.#list.url);
  }

  async run(): Promise<void> {
    let page = await this.#page({ url: startOf(this.#list), after: null });
    const first = page;
    while (!(await this.#isEnd(page))) {
      const ahead = this.#ahead(first);
      if (ahead !== null) {
        await this.#inFlight(ahead, first);
        break;
      }
      page = await this.#page(this.#next(page));
    }
    const { total } = first;
    if (total !== null && total !== this.#records)
      throw this.#incomplete(`the server declares ${total} records and ${this.#records} came`);
    // what came on one page came at one moment
    if (this.#records > first.count && this.#list.verify !== 'off') await this.#again(first);
  }

  /** Reads one page and gives its records away as they come. */
  async #page(next: Next): Promise<Page> {
    this.#begin(next);
    const take = this.#taker(next.after);
    const page = await readPage(this.#client, next.url, this.#list, this.#pages === 1, take.record);
    take.end();
    this.#prove(page);
    return page;
  }

  #begin({ url }: Next): void {
    this.#pages += 1;
    if (this.#addresses.has(url.href)) throw this.#incomplete('a page leads on to one that was read already');
    if (this.#pages > mostPages) throw this.#incomplete(`more than ${mostPages} pages`);
    this.#addresses.add(url.href);
  }

  #taker(after: string | null): { record: OnRecord; end(): void } {
    const page = this.#pages;
    const names = createHash('sha256');
    let index = 0;
    return {
      record: (record) => {
        index += 1;
        const name = this.#nameOf(record);
        if (page === 1) names.update(`${name}\n`);
        if (after !== null && index === 1) {
          if (name === after) return;
          throw this.#moved(
            `page ${page} does not begin with the last record of the one before`,
            '; set verify: first if this server takes only multiples of the page size as offset',
          );
        }
        this.#last = name;
        this.#records += 1;
        this.#came();
        const before = name === null ? null : this.#seen.note(name, page);
        if (before !== null && this.#isWrong(before !== page)) throw this.#twice(before, page, index);
        if (this.#records > this.#list.maxRecords)
          throw this.#incomplete(`more than ${this.#list.maxRecords} records`, 'raise maxRecords if there are so many');
        return this.#onRecord(record, page, index);
      },
      end: () => {
        if (page === 1) this.#firstNames = names.digest('hex');
        if (after !== null && index === 0)
          throw this.#moved(`page ${page} is empty and should begin with the last record of the one before`);
      },
    };
  }

  #came(): void {
    const total = this.#first?.total ?? null;
    // the first record of a page in flight may be the last one of the page before
    this.#onCame(Math.min(this.#records + this.#early, total ?? Number.POSITIVE_INFINITY), total);
  }

  /** Without a key, records that are the same may be meant, and only on one page are they certain to be. */
  #isWrong(acrossPages: boolean): boolean {
    const { key, verify } = this.#list;
    return key !== undefined || (acrossPages && verify !== 'off');
  }

  /** What a record is told from others by; null: nobody has to. One without its key is told by all that it says. */
  #nameOf(record: Json): string | null {
    const { key, paging } = this.#list;
    if (key !== undefined) {
      const found = valueAt(record, key);
      if (typeof found === 'string' && found !== '') return found;
    }
    return key === undefined && paging.kind === 'none' ? null : JSON.stringify(record);
  }

  #prove(page: Page): void {
    const { paging, totalRequired } = this.#list;
    this.#first ??= page;
    const first = this.#first;
    if (page.total === null && totalRequired)
      throw this.#incomplete('the answer does not say how many records there are', 'correct total');
    if (page.total !== first.total)
      throw this.#moved(
        `the total was ${first.total ?? 'not there'} on the first page and is ${page.total ?? 'not there'} on page ${this.#pages}`,
      );
    if (page === first || (paging.kind !== 'offset' && paging.kind !== 'page')) return;
    if (page.count > first.count) throw this.#incomplete(`page ${this.#pages} has more records than the first one`);
    if (this.#short !== null && page.count > this.#overlap())
      throw this.#incomplete(`page ${this.#short} was shorter than the first one, and there are records behind it`);
    if (page.count < first.count) this.#short ??= this.#pages;
  }

  /** Records that a page has in common with the one before. */
  #overlap(): number {
    // a server that gives one record a page leaves no room for any
    return this.#list.verify === 'overlap' && this.#first!.count > 1 ? 1 : 0;
  }

  async #isEnd(page: Page): Promise<boolean> {
    const { paging } = this.#list;
    const { headers } = page;
    const noNext = linkTo(headers, 'next') === null;
    switch (paging.kind) {
      case 'none':
        if (noNext && !this.#leadsOn(page)) return true;
        throw this.#incomplete('the answer is the first of several pages (Link header)', 'set paging: { kind: link }');
      case 'link':
        if (noNext && this.#leadsOn(page))
          throw this.#incomplete(
            `page ${this.#pages} is not the last one by its Link header, which does not say where the next one is`,
            'set paging: { kind: page } or { kind: offset }, with the parameters that the links have',
          );
        return noNext && this.#endsHere(page, tellsPages(headers), 'Link header');
      case 'cursor': {
        const next = this.#cursor(page);
        return !next && this.#endsHere(page, next !== undefined, pathText(paging.next));
      }
      default: {
        if (!noNext) return this.#endsAnyway(page);
        if (page.count <= (this.#pages > 1 ? this.#overlap() : 0)) return true;
        if (this.#leadsOn(page)) return false;
        if (tellsPages(headers)) return true;
        // a total that is reached on the first page may be the count of that page; behind offsets it costs little to look
        if (paging.kind === 'offset' && this.#pages === 1) return false;
        return page.total !== null && this.#records >= page.total;
      }
    }
  }

  /**
   * Of a page whose Link header leads on. Some servers lead on past the end, for ever; others filter their pages, and one
   * without records has more behind it: to take it for the end would take people for gone.
   */
  #endsAnyway(page: Page): boolean {
    if (page.count > 0) {
      this.#empty = 0;
      return false;
    }
    if (page.total !== null && this.#records >= page.total) return true;
    this.#empty += 1;
    if (this.#empty < mostEmpty) return false;
    throw this.#incomplete(
      `page ${this.#pages} is the ${mostEmpty}th in a row without a record, and the Link header leads on`,
      'name the total (total) where the server says it, or have the server end its Link header',
    );
  }

  /** The Link header says that the last page lies behind this one. */
  #leadsOn(page: Page): boolean {
    const { paging } = this.#list;
    const last = lastOf(page);
    if (last === null) return false;
    if (last === undefined) return true;
    // by the number in it where there is one: other parameters are not always those that were asked with
    const parameter = paging.kind === 'page' ? paging.page : paging.kind === 'offset' ? paging.offset : null;
    const number = parameter === null ? null : last.searchParams.get(parameter);
    if (number === null || !/^\d+$/.test(number)) return !isThis(page, last, this.#pages === 1);
    const { first, kind } = paging as Paging & { kind: 'page' | 'offset' };
    const read = kind === 'page' ? this.#pages : this.#records;
    return Number(number) - first >= read;
  }

  /**
   * No next page. On the first one that may also mean that we look for it in the wrong place, and one page would be taken
   * for everybody: something has to say that it is not so.
   */
  async #endsHere(page: Page, said: boolean, where: string): Promise<boolean> {
    if (said || this.#pages > 1 || page.total !== null || page.count === 0) return true;
    if (await this.#wouldSayNext(page)) return true;
    throw this.#incomplete(
      `nothing says whether there is another page: the first answer has no ${where}`,
      'correct paging; for a server that leaves it out on the last page give total, or size under paging if it gives as many as are asked for',
    );
  }

  /**
   * True when the first page, asked for with one record fewer than it has, says that there is a next one: then we look in
   * the right place. That it has fewer records than `size` would be no proof, for servers give fewer than are asked for.
   */
  async #wouldSayNext({ count }: Page): Promise<boolean> {
    const { kind, size, limit } = this.#list.paging as Paging & { kind: 'link' | 'cursor' };
    if (size === undefined || count < 2) return false;
    const fewer = withQuery(startOf(this.#list), { [limit]: count - 1 });
    const page = await readPage(this.#client, fewer, this.#list, false, () => {});
    return kind === 'cursor' ? !!this.#cursor(page) : linkTo(page.headers, 'next') !== null;
  }

  #cursor(page: Page): string | null | undefined {
    const found = valueAt(page.envelope, (this.#list.paging as Paging & { kind: 'cursor' }).next);
    // `"next": false` is how some say that there is none
    if (found === 'false') return null;
    if (found === undefined || found === null || typeof found === 'string') return found;
    throw this.#incomplete('the next cursor is no single value', 'correct paging.next');
  }

  #next(page: Page): Next {
    const { paging } = this.#list;
    switch (paging.kind) {
      case 'link':
        return { url: this.#client.follow(page.url, linkTo(page.headers, 'next')!), after: null };
      case 'cursor': {
        const next = this.#cursor(page)!;
        if (paging.parameter === undefined) return { url: this.#client.follow(page.url, next), after: null };
        return { url: withQuery(startOf(this.#list), { [paging.parameter]: next }), after: null };
      }
      case 'offset':
        return this.#nth(this.#records - this.#overlap(), this.#pages + 1);
      default:
        return this.#nth(0, this.#pages + 1);
    }
  }

  /** The page that begins behind so many records (offset), or that has this number (page). */
  #nth(records: number, number: number): Next {
    const { paging } = this.#list;
    if (paging.kind === 'page')
      return { url: withQuery(startOf(this.#list), { [paging.page]: paging.first + number - 1 }), after: null };
    const { offset, first } = paging as Paging & { kind: 'offset' };
    const after = this.#overlap() ? this.#last : null;
    return { url: withQuery(startOf(this.#list), { [offset]: first + records }), after };
  }

  /** Addresses of all further pages, where a total tells them; null where they are found one by one. */
  #ahead(first: Page): Next[] | null {
    const { paging, concurrency } = this.#list;
    if (concurrency === 1 || first.total === null || first.count === 0) return null;
    if (paging.kind !== 'offset' && paging.kind !== 'page') return null;
    const stride = first.count - this.#overlap();
    const all: Next[] = [];
    for (let at = stride, number = 2; at + this.#overlap() < first.total; at += stride, number += 1)
      all.push(this.#nth(at, number));
    return all.length ? all : null;
  }

  /** Reads pages several at a time; their records are given away in order all the same. */
  async #inFlight(ahead: readonly Next[], first: Page): Promise<void> {
    const { concurrency } = this.#list;
    const read = async ({ url }: Next) => {
      const records: Json[] = [];
      const page = await readPage(this.#client, url, this.#list, false, (record) => {
        records.push(record);
        this.#early += 1;
        this.#came();
      });
      return { page, records };
    };
    const waiting: ReturnType<typeof read>[] = [];
    let begun = 0;
    for (const next of ahead) {
      while (begun < ahead.length && waiting.length < concurrency) {
        const reading = read(ahead[begun++]!);
        // it is waited for below; until then a failure is nobody's unhandled rejection
        reading.catch(() => {});
        waiting.push(reading);
      }
      const { page, records } = await waiting.shift()!;
      this.#early -= records.length;
      this.#begin(next);
      const take = this.#taker(next.after === null ? null : this.#last);
      for (const record of records) await take.record(record);
      take.end();
      this.#prove(page);
      if (page.count < first.count && next !== ahead.at(-1))
        throw this.#incomplete(`page ${this.#pages} is shorter than the first one, and there are pages behind it`);
    }
  }

  /** The first page once more: what came or went in the meantime shows there, or in the total. */
  async #again(first: Page): Promise<void> {
    const names = createHash('sha256');
    const page = await readPage(this.#client, startOf(this.#list), this.#list, false, (record) => {
      names.update(`${this.#nameOf(record)}\n`);
    });
    if (page.total !== first.total)
      throw this.#moved(`the total was ${first.total} on the first page and is ${page.total} at the end`);
    if (names.digest('hex') !== this.#firstNames)
      throw this.#moved('the first page has other records at the end than at the beginning');
  }

  #twice(before: number, page: number, index: number): Incomplete {
    const where =
      before === page
        ? `record ${index} of page ${page} has the key of another one on it`
        : `record ${index} of page ${page} came on page ${before} already`;
    if (before !== page) return this.#moved(where);
    return this.#incomplete(
      where,
      'correct key: it tells records apart, and several rows of a person are several records',
    );
  }

  #moved(what: string, more = ''): Incomplete {
    return this.#incomplete(
      what,
      `the list moved while it was read, or has no fixed order; schedule the pull for a quieter time, or have it sorted by its id (query)${more}`,
    );
  }

  #incomplete(what: string, remedy?: string): Incomplete {
    return new Incomplete(`${this.#name}: ${what}`, remedy === undefined ? {} : { remedy });
  }
}
