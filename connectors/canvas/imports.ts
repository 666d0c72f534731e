import { Misconfigured, Unavailable } from '../../src/base/errors.ts';
import type { TargetContext } from '../../src/connector/target.ts';
import type { CanvasApi } from './api.ts';
import {
  type CanvasSettings,
  errorPage,
  importList,
  type SisImport,
  type SisImportError,
  sisImport,
} from './schema.ts';

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

/** The states of imports that others have to wait for. One that is `initializing` may be abandoned, and holds up nobody. */
const underWay = ['created', 'importing', 'cleanup_batch'];

/** Address of the account and of its imports. */
export function accountPath({ account }: CanvasSettings): string {
  return `/api/v1/accounts/${encodeURIComponent(account)}`;
}

/** What an import is asked for, beside its file. */
export type ImportOptions = Readonly<Record<string, string>>;

/** The upload of an import. */
export function uploadOf<B>(settings: CanvasSettings, options: ImportOptions, body: B) {
  const query = new URLSearchParams({ import_type: 'instructure_csv', extension: 'zip', ...options });
  return {
    method: 'POST' as const,
    path: `${accountPath(settings)}/sis_imports?${query}`,
    headers: { 'content-type': 'application/zip' },
    body,
  };
}

/** What the settings ask of every import. */
export function stickinessOf({ stickiness }: CanvasSettings): ImportOptions {
  if (stickiness === 'keep') return {};
  const more = { override: {}, add: { add_sis_stickiness: 'true' }, clear: { clear_sis_stickiness: 'true' } };
  return { override_sis_stickiness: 'true', ...more[stickiness] };
}

/**
 * What an import with users is asked for. Canvas looks for a user by SIS ID, then by login; one who has the login and another
 * SIS ID is refused without this, and given the new one with it (canvas-lms `user_importer.rb`). Who is known by the SIS ID
 * takes over nobody.
 */
export function takeOverOf({ takeOver }: CanvasSettings): ImportOptions {
  return takeOver ? { update_sis_id_if_login_claimed: 'true' } : {};
}

/** The imports of one account. */
export interface Imports {
  /**
   * Waits until no import is under way, because Canvas runs one after another; somebody else's is nothing to be in the way
   * of, and one of a process that died is not to be doubled. One of this data set is given back at once, to be watched.
   */
  turn(dataSet: string): Promise<SisImport | null>;
  start(file: string, options: ImportOptions): Promise<SisImport>;
  /** Watches until it ended. */
  watch(id: number): Promise<SisImport>;
  errorsOf(id: number): Promise<SisImportError[]>;
  /** Imports, newest first, page after page. */
  list(): AsyncGenerator<SisImport>;
  /** The id of the newest import; 0 where there is none. */
  newest(): Promise<number>;
}

/** An import that Canvas named itself and no longer knows. */
export class Gone extends Unavailable {}

/** Opens the imports of the configured account. */
export function openImports(
  settings: CanvasSettings,
  { clock, signal, progress }: Pick<TargetContext, 'clock' | 'signal' | 'progress'>,
  api: CanvasApi,
): Imports {
  const imports = `${accountPath(settings)}/sis_imports`;

  const look = async (id: number): Promise<SisImport> => {
    try {
      return await api.call(sisImport, { method: 'GET', path: `${imports}/${id}` });
    } catch (error) {
      if (!(error instanceof Misconfigured)) throw error;
      throw new Gone(`import ${id} is gone: ${error.message}`, { cause: error });
    }
  };
  const watch = async (id: number, began = clock.monotonic()): Promise<SisImport> => {
    // Small imports end at once, so the first looks come soon.
    for (let pause = settings.pollEvery / 8; ; pause = Math.min(pause * 1.5, settings.pollEvery * 15)) {
      await clock.wait(pause, signal);
      // `progress` is not read: it may fall back while Canvas cleans up.
      const seen = await look(id);
      if (terminal.has(seen.workflow_state)) return seen;
      const waited = clock.monotonic() - began;
      progress(
        `import ${id} is ${seen.workflow_state} in Canvas, after ${Math.round(waited / 1000).toLocaleString('en')} s`,
      );
      if (waited >= settings.pollFor)
        throw new Unavailable(`import ${id} is still ${seen.workflow_state} in Canvas after the time in pollFor`);
    }
  };
  return {
    async turn(dataSet) {
      const began = clock.monotonic();
      const states = underWay.map((state) => `workflow_state[]=${state}`).join('&');
      for (;;) {
        const path = `${imports}?${states}&per_page=100`;
        const { sis_imports: running } = await api.call(importList, { method: 'GET', path });
        const ours = running.find((one) => one.diffing_data_set_identifier === dataSet);
        if (ours) return ours;
        const first = running.at(-1);
        if (!first) return null;
        await watch(first.id, began).catch((error: unknown) => {
          // Somebody else's, and whoever made it took it back.
          if (!(error instanceof Gone)) throw error;
        });
      }
    },
    start: (file, options) => api.call(sisImport, uploadOf(settings, options, { file })),
    watch: (id) => watch(id),
    async errorsOf(id) {
      const errors: SisImportError[] = [];
      for await (const page of api.pages(errorPage, `${imports}/${id}/errors?per_page=100`))
        errors.push(...page.sis_import_errors);
      return errors;
    },
    async *list() {
      for await (const page of api.pages(importList, `${imports}?per_page=100`)) yield* page.sis_imports;
    },
    async newest() {
      const { sis_imports: first } = await api.call(importList, { method: 'GET', path: `${imports}?per_page=1` });
      return first[0]?.id ?? 0;
    },
  };
}
