import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Incomplete } from '../../src/base/errors.ts';
import { keepNothing } from '../../src/connector/keep.ts';
import { oneRosterColumns } from '../../src/connector/oneroster/columns.ts';
import { joinRows, wantedColumns } from '../../src/connector/oneroster/join.ts';
import { keepWhole, openKept } from '../../src/connector/oneroster/kept.ts';
import { joinSettings } from '../../src/connector/oneroster/settings.ts';
import { Whole } from '../../src/connector/oneroster/whole.ts';
import { paced } from '../../src/connector/paced.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import { SpoolWriter, spoolAnswer } from '../../src/connector/spool.ts';
import { withQuery } from './addresses.ts';
import { type Client, nameOf, openClient, plain } from './client.ts';
import { type CollectionName, changedAt, collections, readEntity } from './oneroster-read.ts';
import { type Collection, progressText, readFirst, readList } from './pages.ts';
import type { Json } from './path.ts';
import { waysInto } from './rows.ts';
import type { SisHttpSettings } from './schema.ts';

/** OneRoster REST: six collections, read whole and joined; between whole pulls only what changed, where the site wants it. */

type Preset = NonNullable<SisHttpSettings['preset']>;

/**
 * A delta asks for what changed since the latest change that was seen, and this much before: a server stamps a record
 * when its transaction begins, and shows it when it ends. What takes longer is found by the next whole pull.
 */
const marginMs = 3_600_000;
/** A whole pull at least so often, unless the configuration says otherwise. */
const fullMs = 86_400_000;

/** Pulls the set, or what changed in it, and joins it to rows. */
export async function pullOneRoster(
  settings: SisHttpSettings,
  preset: Preset,
  context: SourceContext,
): Promise<Answer> {
  const columns = wantedColumns(context.columns);
  const file = join(context.spoolDir, 'oneroster.db');
  // secrets are there by name only; another login may be shown others
  const asked = createHash('sha256')
    .update(JSON.stringify([settings.url, settings.query, settings.headers, settings.auth, preset]))
    .digest('hex');
  // an attempt before this one may have left its file
  await rm(file, { force: true });
  const isKept = (set: Whole): true | null => (isBase(set, settings, context, asked) ? true : null);
  const base = settings.delta === 'on' ? await openKept(context, file, isKept) : null;
  const whole = base?.whole ?? new Whole(file);
  const client = openClient(settings, context);
  const name = nameOf(new URL(settings.url));
  const writer = await SpoolWriter.create(join(context.spoolDir, 'rows'));
  try {
    for (const collection of collections)
      await readCollection(collection, settings, context, client, whole, base !== null);
    if (base === null) {
      whole.setFact('asked', asked);
      whole.setFact('fullAt', context.clock.now().toISOString());
    }
    const rules = { ...joinSettings(settings), now: context.clock.now(), name };
    await joinRows(whole, columns, rules, writer, () => context.signal.throwIfAborted());
    whole.finish();
    const spooled = await writer.finish();
    const answer: Answer = await spoolAnswer([{ spooled, name, modified: null, columns }], context.signal, {
      accepted: async () => {
        if (settings.delta === 'on') await keepWhole(context, file, answer.content);
        else await keepNothing(context);
      },
    });
    return answer;
  } catch (error) {
    whole.abandon();
    await writer.abandon();
    throw error;
  } finally {
    await client.close();
  }
}

/** True for a kept set that answers what is asked now, and is not older than a whole pull may be. */
function isBase(whole: Whole, settings: SisHttpSettings, context: SourceContext, asked: string): boolean {
  const age = context.clock.now().getTime() - Date.parse(whole.fact('fullAt') ?? '');
  // a clock that was set back makes the age negative: not known
  return whole.fact('asked') === asked && age >= 0 && age < (settings.full ?? fullMs);
}

async function readCollection(
  name: CollectionName,
  settings: SisHttpSettings,
  context: SourceContext,
  client: Client,
  whole: Whole,
  isDelta: boolean,
): Promise<void> {
  const mark = isDelta ? whole.fact(`changed ${name}`) : null;
  let latest = mark === null ? null : Number(mark);
  let undated = false;
  const place = `${nameOf(new URL(settings.url)).replace(/\/$/, '')}/${name}`;
  const take = (record: Json, page: number, index: number): void => {
    const entity = readEntity(name, record);
    if (entity === null)
      throw new Incomplete(`${place}: record ${index} of page ${page} has no sourcedId`, {
        remedy: 'every record of OneRoster has one; the server must be corrected',
      });
    const changed = changedAt(record, context.clock.now());
    if (changed === null) undated = true;
    else if (latest === null || changed > latest) latest = changed;
    if (isDelta) whole.merge(name, entity);
    else if (!whole.add(name, entity))
      throw new Incomplete(`${place}: record ${index} of page ${page} came before under the same sourcedId`);
  };
  const say = paced(context);
  await readList(client, listOf(name, settings, mark), take, (records, total) =>
    say(() => progressText(records, total, name)),
  );
  // without dates nothing can be asked for by date: the next pull takes this collection as a whole again
  if (latest !== null && !undated) whole.setFact(`changed ${name}`, String(latest));
}

function listOf(name: CollectionName, settings: SisHttpSettings, mark: string | null): Collection {
  const base = new URL(settings.url);
  base.pathname = `${base.pathname.replace(/\/$/, '')}/${name}`;
  const url = withQuery(base, {
    ...plain(settings.query),
    ...(mark && { filter: `dateLastModified>='${new Date(Number(mark) - marginMs).toISOString()}'` }),
  });
  return {
    url,
    records: [name],
    key: ['sourcedId'],
    paging: { kind: 'offset', size: settings.pageSize ?? 1000, offset: 'offset', limit: 'limit', first: 0 },
    total: { header: 'X-Total-Count' },
    totalRequired: false,
    contentType: settings.contentType,
    verify: settings.verify ?? 'overlap',
    concurrency: settings.concurrency,
    maxRecords: settings.maxRecords,
  };
}

/** Logs in and says what a pull would read of each collection: counts and names, no values. */
export async function probeOneRoster(
  settings: SisHttpSettings,
  preset: Preset,
  context: SourceContext,
  client: Client,
): Promise<string[]> {
  wantedColumns(context.columns);
  const said = [`OneRoster ${preset.slice('oneroster-'.length)} at ${nameOf(new URL(settings.url))}`];
  for (const name of collections) {
    let first: Json | undefined;
    const page = await readFirst(client, listOf(name, settings, null), (record) => {
      first ??= record;
    });
    const total = page.total === null ? 'no total declared' : `${page.total.toLocaleString('en')} declared`;
    const has = first === undefined ? '' : `; the first has ${waysInto(first).join(', ')}`;
    said.push(`${name}: ${page.count.toLocaleString('en')} on the first page, ${total}${has}`);
  }
  said.push(`columns for a map: ${oneRosterColumns.join(', ')}`);
  return said;
}
