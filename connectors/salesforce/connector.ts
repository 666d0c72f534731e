import { personChangeTypes, type TargetConnector } from '../../src/connector/target.ts';
import { openClient } from './client.ts';
import { deliver, previewUpserts } from './deliver.ts';
import { probeOrg } from './probe.ts';
import { type SalesforceSettings, settings } from './schema.ts';

/** Salesforce: people and enrolments as records of two objects, upserted by external ids of rosterd's own. */
export const salesforce: TargetConnector<SalesforceSettings> = {
  kind: 'salesforce',
  direction: 'target',
  description: 'Salesforce: people and enrolments by collections upsert (REST API, client credentials)',
  settings,
  accepts: () => personChangeTypes,
  batchSize: (chosen) => chosen.batch,
  async open(chosen, context) {
    const client = openClient(chosen, context);
    return {
      deliver: (items) => deliver(chosen, client, items),
      async close() {},
    };
  },
  preview: (chosen, _about, items) => previewUpserts(chosen, items),
  probe: (chosen, context) => probeOrg(chosen, openClient(chosen, context)),
};
