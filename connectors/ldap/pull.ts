import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Incomplete } from '../../src/base/errors.ts';
import { keepNothing } from '../../src/connector/keep.ts';
import { keepRows, keptRows } from '../../src/connector/kept-rows.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import { type Spooled, SpoolWriter, spoolAnswer, spoolLines } from '../../src/connector/spool.ts';
import type { Connection } from './connection.ts';
import { copyOf } from './entry.ts';
import {
  changedSince,
  type Kept,
  kept as keptFacts,
  Latest,
  markOf,
  queryPrint,
  startOf,
  whyFull,
} from './incremental.ts';
import { logIn } from './login.ts';
import { type Reading, readingOf } from './rows.ts';
import type { LdapSettings, Search } from './schema.ts';
import { completed, entriesOf, filterText, type Query, queryOf } from './search.ts';
import { askServer, readOne, type Server } from './server.ts';

/** What one pull works with. */
interface Work {
  connection: Connection;
  server: Server;
  settings: LdapSettings;
  context: SourceContext;
  reading: Reading;
  queries: readonly Query[];
  latest: Latest;
}

/** More changes than this are read as a whole answer: they are held in memory while they are merged. */
const mostChanges = 20_000;
const progressEach = 1000;

/** Pulls: everything that the searches find, or what has changed since merged into what is kept. */
export async function pull(settings: LdapSettings, context: SourceContext): Promise<Answer> {
  const reading = readingOf(context.columns, settings);
  const connection = await logIn(settings, context);
  try {
    const server = await askServer(connection);
    const incremental = settings.incremental === 'on';
    const attributes = incremental ? [...reading.attributes, 'modifyTimestamp'] : reading.attributes;
    const queries = settings.searches.map((search) => queryOf(search, server, attributes));
    const work: Work = { connection, server, settings, context, reading, queries, latest: new Latest() };
    if (incremental) return await pullKept(work);
    return await answerOf(work, await readAll(work), () => keepNothing(context));
  } finally {
    connection.close();
  }
}

/** Logs in and says how each search would be read. Reads no people. */
export async function probe(settings: LdapSettings, context: SourceContext): Promise<string[]> {
  const reading = readingOf(context.columns, settings);
  const connection = await logIn(settings, context);
  try {
    const server = await askServer(connection);
    const who = settings.bindDN ?? 'nobody in particular';
    const said = [`logged in to ${settings.url.url} as ${who}; it is ${server.name}`];
    if (server.namingContexts.length) said.push(`naming contexts: ${server.namingContexts.join('; ')}`);
    for (const search of settings.searches) {
      const { base } = search;
      if (!(await readOne(connection, base, ['1.1'])))
        throw new Incomplete(`there is no ${base}, or this account may not see it`, {
          remedy: 'correct base, or have the directory give this account the right to read there',
        });
      const asked = reading.attributes.join(', ');
      said.push(`would read ${scopes[search.scope]} ${base} for ${filterText(search, server)}; attributes: ${asked}`);
    }
    if (settings.incremental === 'on') {
      const { mark, reason } = await startOf(connection, server, settings);
      const by = mark?.by === 'usn' ? 'uSNChanged' : 'modifyTimestamp';
      said.push(mark ? `between full pulls would read changes by ${by}` : `always reads everything: ${reason}`);
    }
    return said;
  } finally {
    connection.close();
  }
}

const scopes: Record<Search['scope'], string> = { sub: 'all below', one: 'the children of', base: 'the entry' };

/** Everything that the searches find, spooled. */
async function readAll(work: Work): Promise<Spooled> {
  const { reading, settings, context } = work;
  const writer = await SpoolWriter.create(join(context.spoolDir, 'rows'));
  try {
    const missing = new Set(reading.expected);
    const left = await readInto(work, writer, missing, ({ search, name }, found) => {
      if (!found && !search.allowEmpty)
        throw new Incomplete(`${name} found nobody`, {
          remedy: 'no rights to read? wrong base or filter? where that can be right: allowEmpty: true',
        });
    });
    if (missing.size && left.entries)
      throw new Incomplete(`of ${left.entries} entries not one has the attribute ${[...missing].join(', ')}`, {
        remedy: 'spelled as the server spells it? may this account read it? where that can be right: mayBeMissing',
      });
    if (left.disabled)
      context.log.info(
        { event: 'ldap.disabled', source: context.source, count: left.disabled },
        `${left.disabled} disabled accounts left out (disabledAccounts: ${settings.disabledAccounts})`,
      );
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** Reads what the searches find into a spool file; an entry that two of them find counts once. */
async function readInto(
  { connection, server, settings, context, reading, queries, latest }: Work,
  writer: SpoolWriter,
  missing: Set<string>,
  found: (query: Query, entries: number) => void,
): Promise<{ entries: number; disabled: number; unstable: number }> {
  const seen = new Set<string>();
  const left = { seen: 0, entries: 0, disabled: 0, unstable: 0 };
  for (const query of queries) {
    let count = 0;
    for await (const entries of entriesOf(connection, query, server, settings)) {
      for (const entry of entries) {
        if (entry.ranged) await completed(connection, entry, query);
        count += 1;
        // those that come again count as well: a server that goes round in circles has no end
        if (left.seen++ >= settings.maxEntries)
          throw new Incomplete(`more than ${settings.maxEntries} entries`, {
            remedy: 'raise maxEntries if that is right',
          });
        const { key, stable, disabled, rows } = reading.rowsOf(entry);
        // a piece of what arrived would hold on to all of it
        const print = stable ? key.replaceAll('-', '') : copyOf(key);
        if (seen.has(print)) continue;
        seen.add(print);
        left.entries += 1;
        if (missing.size) for (const name of missing) if (entry.attributes.get(name)?.length) missing.delete(name);
        latest.see(entry.attributes.get('modifytimestamp')?.[0]);
        if (!stable) left.unstable += 1;
        if (disabled && settings.disabledAccounts === 'leave-out') {
          left.disabled += 1;
          continue;
        }
        const name = { key, origin: entry.dn };
        for (const row of rows)
          await ('broken' in row ? writer.addBroken(name, row.broken, row.column) : writer.add(name, row));
        if (left.entries % progressEach === 0) context.progress(`${left.entries.toLocaleString('en')} entries read`);
      }
    }
    found(query, count);
  }
  return left;
}

/** What a snapshot is traced back to: the address of the search, as in RFC 4516. */
function partName({ settings, server }: Work): string {
  const names = settings.searches.map((search) => `${search.base}??${search.scope}?${filterText(search, server)}`);
  return `${settings.url.url}/${names.join(' and ')}`;
}

async function answerOf(work: Work, spooled: Spooled, accepted: (content: string) => Promise<void>): Promise<Answer> {
  const part = { spooled, name: partName(work), modified: null, columns: work.reading.columns };
  const answer: Answer = await spoolAnswer([part], work.context.signal, { accepted: () => accepted(answer.content) });
  return answer;
}

/** An answer that is kept, and made of what was kept where that will do. */
async function pullKept(work: Work): Promise<Answer> {
  const { connection, server, settings, context, reading, queries } = work;
  const filters = settings.searches.map((search) => filterText(search, server));
  const query = queryPrint(settings, reading.columns, filters);
  const kept = await keptRows(context, keptFacts);
  const start = await startOf(connection, server, settings);
  const began = context.clock.monotonic();
  let reason = whyFull(kept?.facts ?? null, start, query, context, settings.full);
  let spooled: Spooled | null = null;
  let fullAt = context.clock.now().toISOString();
  if (reason === null) {
    const { mark } = kept!.facts;
    const changed = queries.map((one) => ({ ...one, filter: changedSince(one.filter, mark) }));
    spooled = await readChanges({ ...work, queries: changed }, kept!.spooled);
    if (spooled) fullAt = kept!.facts.fullAt;
    else reason = 'more has changed than is merged, or entries have no id that stays';
  }
  context.log.info(
    { event: 'ldap.reading', source: context.source, full: reason !== null, reason },
    reason === null ? 'only changes were read' : `everything is read: ${reason}`,
  );
  const before = spooled ? kept!.facts.mark : null;
  const rows = spooled ?? (await readAll(work));
  const mark = markOf(start, work.latest, before, context.clock.monotonic() - began);
  return answerOf(work, rows, (content) =>
    mark ? keepRows(context, rows, content, { query, fullAt, mark } satisfies Kept) : keepNothing(context),
  );
}

/** Changes merged into what is kept; null when everything has to be read after all. */
async function readChanges(work: Work, kept: Spooled): Promise<Spooled | null> {
  const { context } = work;
  const file = join(context.spoolDir, 'changes');
  const changes = new Map<string, string[]>();
  const writer = await SpoolWriter.create(file);
  try {
    const { entries, unstable } = await readInto(work, writer, new Set(), () => {});
    if (unstable || entries > mostChanges || writer.rows > mostChanges * 10) return null;
    await writer.finish();
    for await (const { key, line } of spoolLines(file)) changes.set(key, [...(changes.get(key) ?? []), line]);
  } finally {
    await writer.abandon();
    await rm(file, { force: true });
  }
  const merged = await SpoolWriter.create(join(context.spoolDir, 'rows'));
  try {
    const written = new Set<string>();
    const put = async (key: string, lines: readonly string[]): Promise<void> => {
      written.add(key);
      for (const line of lines) await merged.addLine(line);
    };
    for await (const { key, line } of spoolLines(kept.file)) {
      const news = changes.get(key);
      if (!news) await merged.addLine(line);
      else if (!written.has(key)) await put(key, news);
    }
    for (const [key, lines] of changes) if (!written.has(key)) await put(key, lines);
    return await merged.finish();
  } catch (error) {
    await merged.abandon();
    throw error;
  }
}
