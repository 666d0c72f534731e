import type { SourceConnector } from '../../src/connector/source.ts';
import { probe, pull } from './pull.ts';
import { type CsvDropSettings, settings } from './schema.ts';

/** CSV files in a folder: on an SFTP server, or local and mounted. */
export const csvDrop: SourceConnector<CsvDropSettings> = {
  kind: 'csv-drop',
  direction: 'source',
  description: 'CSV files dropped into a folder, on an SFTP server or on this machine',
  settings,
  pull,
  probe,
};
