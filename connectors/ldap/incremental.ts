import { createHash } from 'node:crypto';
import { AndFilter, type Filter, FilterParser } from 'ldapts';
import { z } from 'zod';
import type { SourceContext } from '../../src/connector/source.ts';
import type { Connection } from './connection.ts';
import { bytesOf, textsOf } from './entry.ts';
import type { LdapSettings } from './schema.ts';
import { readOne, type Server } from './server.ts';

/**
 * How far a pull reaches, told before it begins in the server's own count, and the filter for what has changed since.
 * A clock of this machine is never asked: a server whose clock is another one would lose changes.
 */

const mark = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('usn'), server: z.string(), invocation: z.string(), usn: z.string().regex(/^\d+$/) }),
  z.strictObject({ by: z.literal('time'), server: z.string(), time: z.string().regex(/^\d{14}Z$/) }),
]);

/** How far an answer reaches, in the server's own count. */
export type Mark = z.output<typeof mark>;

/** What is known of a kept answer. `query`: see `queryPrint`. `fullAt`: when everything was read last. */
export const kept = z.strictObject({ query: z.string(), fullAt: z.iso.datetime(), mark });
export type Kept = z.output<typeof kept>;

/** Everything that decides what a pull reads and how, as one text: another one makes what is kept worthless. */
export function queryPrint(settings: LdapSettings, columns: readonly string[], filters: readonly string[]): string {
  const { url, bindDN, searches, each, binary, disabledAccounts, referrals } = settings;
  const all = [url.url, bindDN ?? null, searches, filters, each ?? null, binary, disabledAccounts, referrals, columns];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}

/** So much is read again where changes are told apart by time: writes that were under way, and clocks that were set. */
const overlapMs = 15 * 60_000;

/** What is found out before a search, to be turned into a mark after it. */
export interface Start {
  /** Null: this server has no count to go by, for the reason. */
  mark: Mark | null;
  reason: string;
  /** The mark is the greatest `modifyTimestamp` that the pull sees. */
  seen: boolean;
}

const none = (reason: string): Start => ({ mark: null, reason, seen: false });

/** Asks the server how far it is. */
export async function startOf(connection: Connection, server: Server, settings: LdapSettings): Promise<Start> {
  if (server.kind === 'active-directory') return usnStart(connection, server);
  if (server.kind === 'openldap') return timeStart(connection, server, settings);
  return none('neither Active Directory nor OpenLDAP');
}

async function usnStart(connection: Connection, server: Server): Promise<Start> {
  const { highestCommittedUSN: usn, dnsHostName, dsServiceName } = server;
  if (usn === null || dnsHostName === null || dsServiceName === null)
    return none('the domain controller does not say who it is and how far');
  const entry = await readOne(connection, dsServiceName, ['invocationId']);
  const [invocation] = entry?.attributes.get('invocationid') ?? [];
  // a controller that was put back from a copy counts anew, and says so by another id
  if (!invocation) return none('this account may not read the invocationId of the domain controller');
  const mark: Mark = { by: 'usn', server: dnsHostName, invocation: bytesOf(invocation).toString('hex'), usn };
  return { mark, reason: '', seen: false };
}

/** `20260115021500.123456Z#000000#001#000000`: time, count, server, count. */
const csn = /^(\d{14})\.\d+Z#[0-9a-f]+#([0-9a-f]+)#[0-9a-f]+$/;

async function timeStart(connection: Connection, server: Server, settings: LdapSettings): Promise<Start> {
  const contexts = new Set<string>();
  for (const { base } of settings.searches) {
    const context = server.namingContexts.find((one) => isBelow(base, one));
    if (context === undefined) return none(`no naming context of the server has ${base}`);
    contexts.add(context);
  }
  const marks: Mark[] = [];
  for (const context of contexts) {
    const values = textsOf(await readOne(connection, context, ['contextCSN']), 'contextCSN');
    // changes made at another server may come in here long after their own time
    if (values.length > 1) return none('several servers write here, and their changes come in late');
    const [, time, id] = values.length ? (csn.exec(values[0]!) ?? []) : [];
    if (values.length && time === undefined) return none('the server says in another way how far it is');
    if (time !== undefined) marks.push({ by: 'time', server: `${server.name} ${id}`, time: `${time}Z` });
  }
  if (!marks.length)
    return { mark: { by: 'time', server: server.name, time: '00000000000000Z' }, reason: '', seen: true };
  if (marks.length < contexts.size) return none('a part of the directory says how far it is, and another one not');
  return { mark: marks.sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1))[0]!, reason: '', seen: false };
}

const timeOf = (mark: Mark): string => (mark.by === 'time' ? mark.time : '');

const isBelow = (dn: string, context: string): boolean => {
  const plain = (text: string): string => text.toLowerCase().replace(/\s*([,=])\s*/g, '$1');
  return plain(dn) === plain(context) || plain(dn).endsWith(`,${plain(context)}`);
};

/** Why what is kept cannot be brought up to date by changes alone; null when it can. */
export function whyFull(
  kept: Kept | null,
  start: Start,
  query: string,
  context: SourceContext,
  full: number,
): string | null {
  if (!start.mark) return start.reason;
  if (!kept) return 'nothing is kept of the last answer';
  if (kept.query !== query) return 'other things are read than last time';
  const age = context.clock.now().getTime() - Date.parse(kept.fullAt);
  if (age >= full || age < 0) return 'everything was read long ago';
  const [before, now] = [kept.mark, start.mark];
  if (before.by !== now.by || before.server !== now.server) return 'another server answers';
  if (before.by === 'usn' && now.by === 'usn') {
    if (before.invocation !== now.invocation) return 'the domain controller was put back from a copy';
    if (BigInt(now.usn) < BigInt(before.usn)) return 'the domain controller has gone back in time';
  } else if (!start.seen && timeOf(now) < timeOf(before)) return 'the server has gone back in time';
  return null;
}

/** What has changed since, of what a search finds. */
export function changedSince(filter: Filter, mark: Mark): Filter {
  const later = mark.by === 'usn' ? `(uSNChanged>=${BigInt(mark.usn) + 1n})` : `(modifyTimestamp>=${mark.time})`;
  return new AndFilter({ filters: [filter, FilterParser.parseString(later)] });
}

/** The greatest `modifyTimestamp` of a pull. */
export class Latest {
  time: string | null = null;
  see(value: string | undefined): void {
    const text = /^(\d{14})(\.\d+)?Z$/.exec(value ?? '')?.[1];
    if (text !== undefined && (this.time === null || text > this.time)) this.time = text;
  }
}

/** What a pull reaches to, once it is over. `tookMs`: what was written while it was at work may not be in it. */
export function markOf(start: Start, latest: Latest, before: Mark | null, tookMs: number): Mark | null {
  const { mark } = start;
  if (mark?.by !== 'time') return mark;
  const time = start.seen ? latest.time : mark.time.slice(0, 14);
  // nothing new was seen: then it reaches as far as before
  if (time === null) return before;
  const reaches = earlier(time, overlapMs + (start.seen ? tookMs : 0));
  return { ...mark, time: before && timeOf(before) > reaches ? timeOf(before) : reaches };
}

/** A generalized time, so many milliseconds before. */
function earlier(time: string, ms: number): string {
  const [year, month, day, hour, minute, second] = [0, 4, 6, 8, 10, 12].map((at) =>
    Number(time.slice(at, at + (at === 0 ? 4 : 2))),
  ) as [number, number, number, number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second) - ms);
  return `${date
    .toISOString()
    .replace(/[-:T]|\.\d+/g, '')
    .replace(/Z$/, '')}Z`;
}
