import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Misconfigured } from '../../src/base/errors.ts';
import type {
  DeliveryBatch,
  DeliveryItem,
  ItemResult,
  PreviewedRequest,
  TargetContext,
  TargetSession,
} from '../../src/connector/target.ts';
import { openApi } from './api.ts';
import { filePieces, pieces, zipBytes, zipToFile } from './archive.ts';
import { type Written, writeRows } from './csv-files.ts';
import { type History, isOfDiffing, readHistory } from './history.ts';
import { Gone, type ImportOptions, openImports, stickinessOf, takeOverOf, uploadOf } from './imports.ts';
import { type FileName, removedStatus } from './layout.ts';
import { indexFor, judge, RowIndex } from './outcome.ts';
import type { CanvasSettings, SisImport, SisImportError } from './schema.ts';
import { endSessions, type Leaver, leaverOf, previewSessions } from './sessions.ts';
import { buildSheets, Changes, toFiles } from './sheets.ts';
import { placeOf, type Whole, writeWhole } from './whole.ts';

type About = Pick<TargetContext, 'target' | 'institution'>;

/** What tells the items of an ended import by its errors. */
type Index = (ended: SisImport, errors: readonly SisImportError[]) => RowIndex;

/** An import that was started and not yet seen to end. */
interface Pending {
  /** Which batch it is. */
  key: string;
  id: number;
  /** Of a roster; an import of changes is told by its batch, which is not to be held until it comes again. */
  index?: Index;
}

/**
 * One batch is one SIS import: started, watched until it ended, and its errors put back on the items. An import that
 * was started and not yet seen to end is remembered: when the same batch comes again it is watched further instead of
 * started a second time, because Canvas runs imports one after another and would only fall further behind. An import of
 * changes bears a name of its own, so that it is found again also by a process that did not start it.
 */
export function openSession(settings: CanvasSettings, context: TargetContext): TargetSession {
  const { log, clock, target, spoolDir, progress } = context;
  const api = openApi({ ...context, token: settings.token });
  const imports = openImports(settings, context, api);
  const zip = join(spoolDir, 'import.zip');
  const knownErrors = new Map<number, SisImportError[]>();
  let pending: Pending | null = null;
  /** An upload whose answer was lost: its data set, and the newest import before it. */
  let lost: { dataSet: string; after: number } | null = null;

  /** Watches the import in hand, and answers for its items, named by their ids. */
  const settle = async (
    items: readonly string[],
    leavers: readonly Leaver[],
    indexOf: Index,
  ): Promise<ItemResult[]> => {
    const { id } = pending!;
    const ended = await imports.watch(id).catch((error: unknown) => {
      // The next attempt starts another.
      if (error instanceof Gone) pending = null;
      throw error;
    });
    const errors = ended.workflow_state === 'imported' ? [] : await imports.errorsOf(id);
    const index = indexOf(ended, errors);
    pending = null;
    const { results, unplaced } = judge(items, index, ended, errors, noteOn(ended, errors));
    if (settings.mode === 'full' && ended.diffing_threshold_exceeded)
      log.warn(
        { event: 'canvas.whole', target, import: id, reason: 'threshold' },
        `${target}: the roster differs from the last one by more than a threshold; Canvas applied it whole and removed nothing but what changes named`,
      );
    // Its words may be about anybody; Canvas shows them to those who may see them. Of a roster most rows are no item's.
    if (unplaced.length)
      log.warn(
        { event: 'canvas.message', target, import: id, messages: unplaced.length },
        `${target}: Canvas has messages on import ${id} that belong to no item`,
      );
    if (!settings.endSessions) return results;
    return endSessions(api, leavers, results, (done) =>
      progress(`import ${id} has ended; ${done.toLocaleString('en')} disabled people signed out`),
    );
  };

  /** Uploads the zip; an answer that was lost is looked for in Canvas before there is another one. */
  const start = async (dataSet: string, options: ImportOptions): Promise<SisImport> => {
    lost = { dataSet, after: await imports.newest() };
    const started = await imports.start(zip, options);
    lost = null;
    return started;
  };

  /** Packs the files for the upload, and gives the digest of what is in them. */
  const pack = async (files: readonly Written[]): Promise<string> => {
    const digest = await zipToFile(
      zip,
      files.map(({ name, path }) => ({ name, chunks: () => filePieces(path) })),
    );
    for (const { path } of files) await rm(path);
    return digest;
  };

  const deliverChanges = async (batch: DeliveryBatch): Promise<ItemResult[]> => {
    const changes = new Changes(batch, settings);
    const files = await writeRows(changes, spoolDir, settings);
    const names = files.map(({ name }) => name);
    const dataSet = changeSet(context, changes.ids, await pack(files));
    if (pending?.key !== dataSet) {
      pending = null;
      const running = (await imports.turn(dataSet)) ?? (await findLost(dataSet));
      if (lost?.dataSet === dataSet) lost = null;
      const { id } = running ?? (await start(dataSet, changeOptions(settings, dataSet, names)));
      pending = { key: dataSet, id };
    }
    return settle(changes.ids, changes.leavers, ({ workflow_state: state }, errors) =>
      indexFor(changes, errors, state.startsWith('failed')),
    );
  };

  /**
   * The import of an upload whose answer was lost: among the newest, or there is none. One from before the upload says
   * nothing of it: whoever has the same changes sent again wants them applied again.
   */
  const findLost = async (dataSet: string): Promise<SisImport | null> => {
    if (lost?.dataSet !== dataSet) return null;
    let looked = 0;
    for await (const one of imports.list()) {
      if (one.diffing_data_set_identifier === dataSet && one.id > lost.after) return one;
      looked += 1;
      if (looked >= 100) break;
    }
    return null;
  };

  const deliverRoster: NonNullable<TargetSession['deliverRoster']> = async (still, batch, asked = {}) => {
    const ids: string[] = [];
    const leavers: Leaver[] = [];
    for (const item of batch) {
      const leaver = leaverOf(item, ids.push(item.item) - 1);
      if (leaver) leavers.push(leaver);
    }
    const key = `${keyOfBatch(batch)}${asked.remaster ? ' remaster' : ''}`;
    if (pending?.key === key) return settle(ids, leavers, pending.index!);
    pending = null;
    const dataSet = dataSetOf(settings, context);
    // What a dead process, or an attempt that was given up, has begun: its roster is older than the one to come.
    for (let running = await imports.turn(dataSet); running; running = await imports.turn(dataSet))
      await imports.watch(running.id);
    const sheets = buildSheets(batch, settings);
    const quoted = new RowIndex(sheets, null);
    const concerns = (error: SisImportError): boolean => quoted.itemsOf(error, false).length > 0;
    const history = await readHistory(imports, dataSet, clock, concerns, knownErrors);
    const whole = await still((roster) => writeWhole(roster, spoolDir, sheets, settings));
    refuseEmpty(whole, history, dataSet);
    await pack(whole.files);
    const reason = asked.remaster && history.exists ? 'somebody asked for it' : history.remaster;
    // an answer that is lost here is not looked for: its import is waited for, and a newer roster follows
    const { id } = await imports.start(zip, fullOptions(settings, dataSet, reason !== null));
    if (reason !== null)
      log.info(
        { event: 'canvas.whole', target, import: id, reason },
        `${target}: import ${id} applies the whole roster: ${reason}`,
      );
    const numbered = (file: FileName, row: number) => whole.at.get(placeOf(file, row))?.items ?? [];
    // Of a compared import Canvas numbers the rows of the difference.
    const index: Index = (ended) => (wasCompared(ended) ? quoted : new RowIndex(sheets, numbered));
    pending = { key, id, index };
    return settle(ids, leavers, index);
  };

  return {
    deliver: async (items) => (items.length === 0 ? [] : deliverChanges(items)),
    deliverRoster,
    close: () => rm(zip, { force: true }),
  };
}

function wasCompared({ data, diffing_remaster }: SisImport): boolean {
  return diffing_remaster !== true && data?.diffed_against_sis_batch_id != null;
}

/** What is to be known of an import that arrived, beside that it did. */
function noteOn(ended: SisImport, errors: readonly SisImportError[]): string {
  if (ended.diffing_threshold_exceeded)
    return 'applied whole, for a threshold was exceeded: only removals that are changes took place';
  if (errors.some(isOfDiffing)) return 'some files were applied whole, for Canvas could not compare them';
  return '';
}

/**
 * A roster without people is no roster: nothing of it can be right while Canvas has another. Smaller doubts are for
 * `changeThreshold`, with which Canvas removes nothing.
 */
function refuseEmpty({ people }: Whole, { exists }: History, dataSet: string): void {
  if (people > 0 || !exists) return;
  throw new Misconfigured(`the roster has no people, and Canvas has had some of them as ${dataSet}: nothing was sent`, {
    remedy:
      'look why the roster is empty (another stateDir or store?); for a new beginning set another full.identifier',
  });
}

/** Which batch of news it is that a roster comes with. */
function keyOfBatch(items: DeliveryBatch): string {
  const hash = createHash('sha256');
  for (const item of items) hash.update(JSON.stringify(item));
  return hash.digest('hex');
}

/** The name of a data set; Canvas takes at most 128 bytes. */
function named(kind: string, { institution, target }: About): string {
  const name = `rosterd ${kind} ${institution}/${target}`;
  if (Buffer.byteLength(name) <= 90) return name;
  return `rosterd ${kind} ${createHash('sha256').update(`${institution}/${target}`).digest('hex').slice(0, 24)}`;
}

/** The data set of `mode: full`. */
function dataSetOf({ full }: CanvasSettings, about: About): string {
  return full?.identifier ?? named('roster', about);
}

/** The name of one import of changes: of its items, and of the bytes that they make (`files`: their digest). */
function changeSet(about: About, ids: readonly string[], files: string): string {
  const key = createHash('sha256').update(ids.join('\n')).update(`\n${files}`).digest('hex');
  return `${named('changes', about)} ${key.slice(0, 32)}`;
}

/** Canvas compares nothing with a remaster: here the data set is only a name by which the import is found again. */
function changeOptions(settings: CanvasSettings, dataSet: string, files: readonly string[]): ImportOptions {
  return {
    ...{ diffing_data_set_identifier: dataSet, diffing_remaster_data_set: 'true' },
    ...stickinessOf(settings),
    ...(files.includes('users.csv') && takeOverOf(settings)),
  };
}

/** `skip_deletes`: a comparison never deletes, and so never a course; removals have another status. */
function fullOptions(settings: CanvasSettings, dataSet: string, remaster: boolean): ImportOptions {
  return {
    diffing_data_set_identifier: dataSet,
    ...(remaster && { diffing_remaster_data_set: 'true' }),
    diffing_drop_status: removedStatus(settings),
    diffing_user_remove_status: 'suspended',
    skip_deletes: 'true',
    change_threshold: String(settings.full?.changeThreshold ?? 10),
    ...(settings.full?.rowThreshold !== undefined && { diff_row_count_threshold: String(settings.full.rowThreshold) }),
    ...stickinessOf(settings),
    ...takeOverOf(settings),
  };
}

/**
 * The import that a batch would start, byte for byte. In `mode: full` an import is the roster, which is not known here:
 * then there is no body, and the files are the rows of these items alone.
 */
export function previewImport(
  settings: CanvasSettings,
  about: About,
  items: readonly DeliveryItem[],
): PreviewedRequest[] {
  const changes = new Changes(items, settings);
  const files = toFiles(changes, settings);
  const full = settings.mode === 'full';
  const zip = full
    ? null
    : zipBytes(Object.entries(files).map(([name, text]) => ({ name, chunks: () => pieces(text) })));
  const options = zip
    ? changeOptions(settings, changeSet(about, changes.ids, zip.digest), Object.keys(files))
    : fullOptions(settings, dataSetOf(settings, about), false);
  const { method, path, headers, body } = uploadOf(settings, options, zip?.bytes ?? null);
  const note =
    'mode: full sends the whole roster. These are the rows of these changes; Canvas finds out what differs.\n';
  const sessions = previewSessions(settings, items);
  return [
    {
      ...{ method, url: new URL(path, settings.url).href, body, items: items.map(({ item }) => item) },
      headers: { accept: 'application/json', authorization: 'Bearer {secret}', ...headers },
      files: full ? { 'README.txt': note, ...files } : files,
    },
    ...sessions,
  ];
}
