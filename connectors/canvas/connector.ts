import { Misconfigured } from '../../src/base/errors.ts';
import { plainAddress } from '../../src/connector/address.ts';
import { changeTypes, type TargetConnector } from '../../src/connector/target.ts';
import { openApi } from './api.ts';
import { openSession, previewImport } from './deliver.ts';
import { accountPath } from './imports.ts';
import { account, type CanvasSettings, canvasSettings, importList } from './schema.ts';

/** Canvas LMS by SIS imports: one zip of CSV files for each batch (Canvas SIS Imports API). */
export const canvas: TargetConnector<CanvasSettings> = {
  kind: 'canvas',
  direction: 'target',
  description: 'Canvas LMS: accounts, courses and enrolments by SIS import',
  settings: canvasSettings,
  address: ({ url, account: number }) => `${plainAddress(url)}, account ${number}`,
  accepts: () => changeTypes,
  batchSize: (settings) => settings.batch,
  open: async (settings, context) => openSession(settings, context),
  wantsRoster: ({ mode }) => mode === 'full',
  preview: previewImport,
  async probe(settings, { http, clock, signal }) {
    const api = openApi({ http, token: settings.token, clock, signal });
    const path = accountPath(settings);
    const found = await api.call(account, { method: 'GET', path });
    if (found.root_account_id != null)
      throw new Misconfigured(`the Canvas account ${found.name} (${found.id}) is not a root account`, {
        remedy: `SIS imports run on the root account only: set account to ${found.root_account_id}`,
      });
    await api.call(importList, { method: 'GET', path: `${path}/sis_imports?per_page=1` });
    return [`the root account is ${found.name} (${found.id})`, 'its SIS imports may be read'];
  },
};
