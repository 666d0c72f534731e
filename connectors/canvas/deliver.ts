import { createHash } from 'node:crypto';
import { zipSync } from 'fflate';
import { Misconfigured, Unavailable } from '../../src/base/errors.ts';
import type { DeliveryItem, PreviewedRequest, TargetContext, TargetSession } from '../../src/connector/target.ts';
import { openApi } from './api.ts';
import { judge } from './outcome.ts';
import { type CanvasSettings, errorPage, type SisImport, type SisImportError, sisImport } from './schema.ts';
import { buildSheets, toFiles } from './sheets.ts';

/** States in which nothing more happens (canvas-lms `sis_batch.rb`). Any other state is looked at again. */
const terminal = new Set([
  'imported',
  'imported_with_messages',
  'aborted',
  'failed',
  'failed_with_messages',
  'restored',
  'partially_restored',
]);

/** Address of the imports of the configured account. */
export function importsPath(settings: CanvasSettings): string {
  return `/api/v1/accounts/${encodeURIComponent(settings.account)}/sis_imports`;
}

/**
 * One batch is one SIS import: started, watched until it ended, and its errors put back on the items. An import that
 * was started and not yet seen to end is remembered: when the same batch comes again it is watched further instead of
 * started a second time, because Canvas runs imports one after another and would only fall further behind.
 */
export function openSession(settings: CanvasSettings, context: TargetContext): TargetSession {
  const { clock, signal, log } = context;
  const api = openApi({ http: context.http, token: settings.token, clock });
  const imports = importsPath(settings);
  let unseen: { id: number; digest: string } | undefined;

  const start = async (files: Record<string, string>): Promise<SisImport> =>
    api.call(sisImport, uploadOf(settings, files));

  const look = async (id: number): Promise<SisImport> => {
    try {
      return await api.call(sisImport, { method: 'GET', path: `${imports}/${id}` });
    } catch (error) {
      if (!(error instanceof Misconfigured)) throw error;
      // Canvas named this import itself and no longer knows it: the next attempt starts another.
      unseen = undefined;
      throw new Unavailable(`import ${id} is gone: ${error.message}`, { cause: error });
    }
  };

  const watch = async (id: number): Promise<SisImport> => {
    const began = clock.monotonic();
    // Small imports end at once, so the first looks come soon.
    for (let pause = settings.pollEvery / 8; ; pause = Math.min(pause * 1.5, settings.pollEvery * 15)) {
      await clock.wait(pause, signal);
      // `progress` is not read: it may fall back while Canvas cleans up.
      const seen = await look(id);
      if (terminal.has(seen.workflow_state)) return seen;
      if (clock.monotonic() - began >= settings.pollFor)
        throw new Unavailable(`import ${id} is still ${seen.workflow_state} in Canvas after the time in pollFor`);
    }
  };

  const errorsOf = async (id: number): Promise<SisImportError[]> => {
    const errors: SisImportError[] = [];
    for await (const page of api.pages(errorPage, `${imports}/${id}/errors?per_page=100`))
      errors.push(...page.sis_import_errors);
    return errors;
  };

  return {
    async deliver(items) {
      if (items.length === 0) return [];
      const sheets = buildSheets(items, settings);
      const files = toFiles(sheets);
      const digest = createHash('sha256').update(JSON.stringify(files)).digest('hex');
      if (unseen?.digest !== digest) {
        unseen = undefined;
        unseen = { digest, id: (await start(files)).id };
      }
      const ended = await watch(unseen.id);
      const errors = ended.workflow_state === 'imported' ? [] : await errorsOf(ended.id);
      unseen = undefined;
      const { results, unplaced } = judge(items, sheets, ended, errors);
      // Its words may be about anybody; Canvas shows them to those who may see them.
      if (unplaced.length)
        log.warn(
          { event: 'canvas.message', target: context.target, import: ended.id, messages: unplaced.length },
          `${context.target}: Canvas has messages on import ${ended.id} that belong to no item`,
        );
      return results;
    },
    close: async () => {},
  };
}

/** The upload of an import. */
function uploadOf(settings: CanvasSettings, files: Record<string, string>) {
  return {
    method: 'POST' as const,
    path: `${importsPath(settings)}?import_type=instructure_csv&extension=zip`,
    headers: { 'content-type': 'application/zip' },
    body: pack(files),
  };
}

/** The import that a batch would start, byte for byte. */
export function previewImport(settings: CanvasSettings, items: readonly DeliveryItem[]): PreviewedRequest[] {
  const files = toFiles(buildSheets(items, settings));
  const { method, path, headers, body } = uploadOf(settings, files);
  return [
    {
      ...{ method, url: new URL(path, settings.url).href, body, files, items: items.map(({ item }) => item) },
      headers: { accept: 'application/json', authorization: 'Bearer {secret}', ...headers },
    },
  ];
}

/** The same files make the same bytes: a zip says when its files were made, so all say the same. */
const made = '1980-01-01T00:00:00';

/** A zip of the files. Canvas refuses one that unpacks to 100 times its size, so what packs too well goes unpacked. */
function pack(files: Record<string, string>): Uint8Array {
  const entries = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text, 'utf8')]));
  const plain = Object.values(entries).reduce((sum, bytes) => sum + bytes.length, 0);
  const zip = zipSync(entries, { level: 6, mtime: made });
  return plain < zip.length * 50 ? zip : zipSync(entries, { level: 0, mtime: made });
}
