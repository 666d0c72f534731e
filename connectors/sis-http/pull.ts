import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { paced } from '../../src/connector/paced.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import { type Spooled, SpoolWriter, spoolAnswer } from '../../src/connector/spool.ts';
import { withQuery } from './addresses.ts';
import { type Client, nameOf, openClient, plain } from './client.ts';
import { keepAnswer, readKept } from './conditional.ts';
import { probeOneRoster, pullOneRoster } from './oneroster.ts';
import { type Collection, type OnCame, progressText, readFirst, readList } from './pages.ts';
import type { Json } from './path.ts';
import { RowMaker, waysInto } from './rows.ts';
import type { SisHttpSettings } from './schema.ts';

/** Pulls: every page is read and proved to be one whole list, its rows spooled; see `pages.ts` for what is proved. */
export async function pull(settings: SisHttpSettings, context: SourceContext): Promise<Answer> {
  if (settings.preset !== undefined) return pullOneRoster(settings, settings.preset, context);
  const client = openClient(settings, context);
  try {
    return await pullList(settings, context, client);
  } finally {
    await client.close();
  }
}

async function pullList(settings: SisHttpSettings, context: SourceContext, client: Client): Promise<Answer> {
  const list = collectionOf(settings);
  const name = nameOf(list.url);
  const maker = new RowMaker(context.columns, settings.key, settings.each, name);
  const asked = fingerprint(settings, context);
  const writer = await SpoolWriter.create(join(context.spoolDir, 'rows'));
  let spooled: Spooled;
  let headers: Record<string, string> = {};
  try {
    const add = (record: Json) => maker.add(record, writer);
    const say = paced(context);
    const came: OnCame = (records, total) => say(() => progressText(records, total));
    if (list.paging.kind === 'none') {
      const kept = await readKept(context, asked);
      const got = await client.get(list.url, { first: true, headers: kept?.headers ?? {} });
      if (got.status === 304 && kept !== null) {
        await writer.abandon();
        context.log.debug({ event: 'http.unchanged', source: context.source }, 'the server says that nothing changed');
        // what is kept stays: it is still the answer
        return await answerOf(kept.spooled, kept.modified, async () => {});
      }
      headers = got.headers;
      // the proofs of a list, over an answer that is here already
      const once = { ...client, get: async () => got };
      await readList(once, list, add, came);
    } else {
      await readList(client, list, add, came);
    }
    maker.prove();
    spooled = await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return answerOf(spooled, headers['last-modified'], (answer) =>
    keepAnswer(context, asked, spooled, answer.content, headers),
  );

  async function answerOf(
    rows: Spooled,
    modified: string | undefined,
    keep: (answer: Answer) => Promise<void>,
  ): Promise<Answer> {
    const part = { spooled: rows, name, modified: isoOf(modified), columns: maker.columns };
    const answer: Answer = await spoolAnswer([part], context.signal, { accepted: () => keep(answer) });
    return answer;
  }
}

function isoOf(modified: string | undefined): string | null {
  const time = modified === undefined ? Number.NaN : Date.parse(modified);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** Everything that decides what an answer to the same request becomes. Secrets are there by name only. */
function fingerprint(
  { url, query, headers, records, key, each, auth }: SisHttpSettings,
  context: SourceContext,
): string {
  const { required, optional } = context.columns;
  return createHash('sha256')
    .update(JSON.stringify([url, query, headers, auth, records, key, each, required, optional]))
    .digest('hex');
}

function collectionOf(settings: SisHttpSettings): Collection {
  return {
    url: withQuery(new URL(settings.url), plain(settings.query)),
    records: settings.records ?? [],
    key: settings.key,
    paging: settings.paging ?? { kind: 'none' },
    total: settings.total,
    totalRequired: settings.total !== undefined,
    contentType: settings.contentType,
    verify: settings.verify ?? (settings.paging?.kind === 'offset' ? 'overlap' : 'first'),
    concurrency: settings.concurrency,
    maxRecords: settings.maxRecords,
  };
}

/** Logs in, reads the first page, and says what a pull would read: counts and names, no values. */
export async function probe(settings: SisHttpSettings, context: SourceContext): Promise<string[]> {
  const client = openClient(settings, context);
  try {
    if (settings.preset !== undefined) return await probeOneRoster(settings, settings.preset, context, client);
    const list = collectionOf(settings);
    let first: Json | undefined;
    const page = await readFirst(client, list, (record) => {
      first ??= record;
    });
    const total = page.total === null ? '' : `, of ${page.total.toLocaleString('en')} that the server declares`;
    const said = [`${nameOf(list.url)}: ${page.count.toLocaleString('en')} records on the first page${total}`];
    if (first === undefined) return said;
    const ways = waysInto(first);
    said.push(`the first record has: ${ways.join(', ')}`);
    const missing = context.columns.required.filter((column) => !ways.includes(column));
    if (missing.length) said.push(`not in the first record: ${missing.join(', ')}`);
    return said;
  } finally {
    await client.close();
  }
}
