import type { SourceConnector } from '../../src/connector/source.ts';
import { probe, pull } from './pull.ts';
import { type SisHttpSettings, settings } from './schema.ts';

/** Records that an HTTP server gives as JSON. */
export const sisHttp: SourceConnector<SisHttpSettings> = {
  kind: 'sis-http',
  direction: 'source',
  description: 'records that an HTTP server gives as JSON, page by page; OneRoster 1.1 and 1.2',
  settings,
  pull,
  probe,
};
