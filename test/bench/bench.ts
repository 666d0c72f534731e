import { parseArgs } from 'node:util';
import { benchDeliver } from './deliver.ts';
import { benchEmbedded } from './embedded.ts';
import { benchLdap } from './ldap.ts';
import { benchMongodb } from './mongodb.ts';

/**
 * `npm run bench [-- --store embedded,mongodb --rows 10000,100000,1000000 --repeat 3]`: what a sync costs beside the
 * plain script that IT would write, and beside reading the file once (`sha256sum`). Ratios, measured side by side in one
 * run: bare times say nothing about another machine. The start of a process (measured with `rosterd runs`) is taken off
 * rosterd's and the script's times. `--repeat` is for MongoDB: all is measured so often, and the medians count.
 *
 * After that, what a pull from a directory costs beside `ldapsearch`: `--entries 20000,100000`, or `--source none` to leave
 * it out. `--store none` leaves the rest out.
 *
 * Last, what deliveries to the stubs cost beside a bare undici loop: `--deliver none` to leave it out, `--deliver canvas`
 * for the cases of one target; each is measured `--times` times.
 */
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,100000,1000000' },
    store: { type: 'string', multiple: true, default: ['embedded'] },
    source: { type: 'string', default: 'ldap' },
    entries: { type: 'string', default: '20000,100000' },
    repeat: { type: 'string', default: '1' },
    deliver: { type: 'string', default: 'all' },
    times: { type: 'string', default: '3' },
  },
});
const sizes = values.rows.split(',').map(Number);
const stores = new Set(values.store.flatMap((one) => one.split(',')));
for (const store of stores)
  if (!['embedded', 'mongodb', 'none'].includes(store)) throw new Error(`--store ${store}: embedded, mongodb or none`);
if (!['ldap', 'none'].includes(values.source)) throw new Error(`--source ${values.source}: ldap or none`);
if (!['all', 'none', 'salesforce', 'canvas', 'peoplesoft'].includes(values.deliver))
  throw new Error(`--deliver ${values.deliver}: all, none, salesforce, canvas or peoplesoft`);
if (stores.has('embedded')) await benchEmbedded(sizes);
if (stores.has('mongodb')) await benchMongodb(sizes, Number(values.repeat));
if (values.source === 'ldap') await benchLdap(values.entries.split(',').map(Number));
if (values.deliver !== 'none') await benchDeliver(values.deliver, Number(values.times));
