import type { SourceConnector } from '../../src/connector/source.ts';
import { openInbox } from './inbox.ts';
import { probe, pull } from './pull.ts';
import { type PushSettings, settings } from './schema.ts';

/** What others send us by HTTP: lists of records as JSON, and tables as CSV. */
export const push: SourceConnector<PushSettings> = {
  kind: 'push',
  direction: 'source',
  description: 'records that are sent to us by HTTP: a JSON list, or a CSV upload',
  settings,
  pull,
  probe,
  inbox: openInbox,
};
