import { plainAddress } from '../../src/connector/address.ts';
import type { TargetConnector } from '../../src/connector/target.ts';
import { openDelivery, previewRequests, probeTarget } from './deliver.ts';
import { openLogin } from './login.ts';
import { type PeoplesoftSettings, settings } from './schema.ts';
import { openSender } from './send.ts';

/** PeopleSoft: one request to the Integration Broker for each change, by operations that a site configures. */
export const peoplesoft: TargetConnector<PeoplesoftSettings> = {
  kind: 'peoplesoft',
  direction: 'target',
  description: 'PeopleSoft: people and enrolments by service operations of the Integration Broker',
  settings,
  address: ({ url, gateway, node }) => `${plainAddress(url)}${gateway}, node ${node}`,
  accepts: ({ changes }) => changes,
  batchSize: (chosen) => chosen.batch,
  async open(chosen, context) {
    const login = openLogin(chosen, context);
    const deliver = openDelivery(chosen, openSender(chosen, context, login));
    return {
      deliver: (items) => deliver([...items]),
      close: () => login.close(),
    };
  },
  preview: (chosen, _about, items) => previewRequests(chosen, items),
  probe: probeTarget,
};
