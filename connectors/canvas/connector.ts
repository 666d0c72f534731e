import { Misconfigured } from '../../src/base/errors.ts';
import { changeTypes, type TargetConnector } from '../../src/connector/target.ts';
import { openApi } from './api.ts';
import { importsPath, openSession, previewImport } from './deliver.ts';
import { account, type CanvasSettings, canvasSettings, importList } from './schema.ts';

/** Canvas LMS by SIS imports: one zip of CSV files for each batch (Canvas SIS Imports API). */
export const canvas: TargetConnector<CanvasSettings> = {
  kind: 'canvas',
  direction: 'target',
  description: 'Canvas LMS: accounts, courses and enrolments by SIS import',
  settings: canvasSettings,
  accepts: () => changeTypes,
  batchSize: (settings) => settings.batch,
  open: async (settings, context) => openSession(settings, context),
  preview: (settings, _about, items) => previewImport(settings, items),
  async probe(settings, { http, clock }) {
    const api = openApi({ http, token: settings.token, clock });
    const imports = importsPath(settings);
    const found = await api.call(account, { method: 'GET', path: imports.replace(/\/sis_imports$/, '') });
    if (found.root_account_id != null)
      throw new Misconfigured(`the Canvas account ${found.name} (${found.id}) is not a root account`, {
        remedy: `SIS imports run on the root account only: set account to ${found.root_account_id}`,
      });
    await api.call(importList, { method: 'GET', path: `${imports}?per_page=1` });
    return [`the root account is ${found.name} (${found.id})`, 'its SIS imports may be read'];
  },
};
