import { plainAddress } from '../../src/connector/address.ts';
import { personChangeTypes, type TargetConnector } from '../../src/connector/target.ts';
import { openClient } from './client.ts';
import { openSession, previewBatch } from './deliver.ts';
import { probeOrg } from './probe.ts';
import { type SalesforceSettings, settings } from './schema.ts';

/** Salesforce: people, enrolments and, with EDA, courses, upserted by external ids of rosterd's own. */
export const salesforce: TargetConnector<SalesforceSettings> = {
  kind: 'salesforce',
  direction: 'target',
  description: 'Salesforce: people and enrolments by collections upsert (REST API) or jobs (Bulk API 2.0)',
  settings,
  address: ({ url }) => plainAddress(url),
  accepts: ({ courses }) => (courses ? ['course.create', ...personChangeTypes] : personChangeTypes),
  batchSize: ({ batch, concurrency, bulk }) => bulk?.batch ?? batch * concurrency,
  open: async (chosen, context) => openSession(chosen, context),
  preview: (chosen, { institution }, items) => previewBatch(chosen, institution, items),
  probe: (chosen, context) => probeOrg(chosen, openClient(chosen, context)),
};
