import type { TargetConnector } from '../../src/connector/target.ts';
import { deliver, previewRequests, probeTarget } from './deliver.ts';
import { accepted } from './operations.ts';
import { type PeoplesoftSettings, settings } from './schema.ts';

/** PeopleSoft: one REST request of the Integration Broker for each change, by operations that a site configures. */
export const peoplesoft: TargetConnector<PeoplesoftSettings> = {
  kind: 'peoplesoft',
  direction: 'target',
  description: 'PeopleSoft: people and enrolments by REST service operations of the Integration Broker',
  settings,
  accepts: () => accepted,
  batchSize: (chosen) => chosen.batch,
  async open(chosen, context) {
    return {
      deliver: (items) => deliver(chosen, context, items),
      async close() {},
    };
  },
  preview: (chosen, _about, items) => previewRequests(chosen, items),
  probe: probeTarget,
};
