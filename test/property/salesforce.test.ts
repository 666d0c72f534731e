import fc from 'fast-check';
import { onTestFinished, test, vi } from 'vitest';
import { salesforce } from '../../connectors/salesforce/connector.ts';
import { enrolmentKey } from '../../connectors/salesforce/records.ts';
import { salesforceStub } from '../../connectors/salesforce/stub.ts';
import { Unavailable } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { openHttp } from '../../src/connector/http.ts';
import { startStub, type WrittenFault } from '../../src/connector/stub.ts';
import type { ItemResult, TargetSession } from '../../src/connector/target.ts';
import { completeResults, headOf, pickBatch } from '../../src/deliver/batch.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { personOf } from '../../src/outbox/items.ts';
import { steppedClock, temporaryFolder } from '../support/drop.ts';
import { design, item } from '../support/salesforce.ts';

/**
 * Whatever happened on the way: once faults end and items are tried again as delivery tries them, the org holds what the
 * last change of each person and enrolment said.
 */

const courses = [design, { ...design, course: 'Bridges' }];
const types = ['account.create', 'account.update', 'account.disable', 'account.enable'] as const;

const change = fc.oneof(
  fc.record({
    type: fc.constantFrom(...types),
    person: fc.nat(5),
    lastName: fc.constantFrom('Ng', 'Wu, "Li"', '#N/A'),
  }),
  fc.record({
    type: fc.constantFrom('enrolment.add' as const, 'enrolment.remove' as const),
    ...{ person: fc.nat(5), course: fc.nat(1) },
  }),
);

const trouble = fc.oneof(
  fc.record({
    kind: fc.constantFrom('reset' as const, 'status' as const),
    ...{ when: fc.constantFrom('before' as const, 'after' as const), status: fc.constantFrom(500, 503, 429) },
    ...{ count: fc.integer({ min: 1, max: 3 }), method: fc.constantFrom('PATCH', 'POST', 'PUT', 'GET', 'DELETE') },
  }),
  fc.record({ kind: fc.constant('partial' as const), count: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ lock: fc.nat(5), times: fc.integer({ min: 1, max: 2 }) }),
  fc.constantFrom({ expire: true as const }, { died: true as const }, { stuck: true as const }),
);

test.each([
  ['requests', { batch: 2, concurrency: 3 }],
  ['jobs', { batch: 2, bulk: { from: 2, batch: 50, pollEvery: '1s', pollFor: '1m' } }],
])('the org ends as the last change of each says, by %s', { timeout: 120_000 }, async (_what, ways) => {
  vi.stubEnv('SALESFORCE_SECRET', 's3cret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const spoolDir = temporaryFolder();
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 25 }),
      fc.array(trouble, { maxLength: 6 }),
      async (changes, troubles) => {
        const stub = await startStub(salesforceStub);
        const abort = new AbortController();
        const http = openHttp(stub.url, abort.signal);
        const post = (name: string, body: object = {}) =>
          fetch(`${stub.url}/_stub/${name}`, {
            ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
          });
        const settings = salesforce.settings.parse({
          ...{ url: stub.url, clientId: 'rosterd', clientSecret: { env: 'SALESFORCE_SECRET' }, ...ways },
        });
        const context = {
          ...{ target: 'crm', institution: 'u', http, signal: abort.signal, clock: steppedClock(), log: silentLog },
          ...{ spoolDir, keep: keeping() },
          progress() {},
        };
        const begin = (): Promise<TargetSession> => salesforce.open(settings, context);
        try {
          // everybody exists, as a plan would have it
          let queue = Array.from({ length: 6 }, (_, n) => item('account.create', n));
          const state = new Map<number, 'active' | 'disabled'>();
          for (const { type, person, ...more } of changes) {
            if (type.startsWith('account.') && type !== 'account.update')
              state.set(person, type === 'account.disable' ? 'disabled' : 'active');
            const facts = {
              status: state.get(person) ?? 'active',
              ...('lastName' in more && { lastName: more.lastName }),
            };
            queue.push(item(type, person, facts, 'course' in more ? courses[more.course] : design));
          }
          const all = [...queue];
          let session = await begin();
          const left = [...troubles];
          for (let attempt = 0; queue.length > 0; attempt += 1) {
            if (attempt > 200) throw new Error(`${queue.length} items are never delivered`);
            const now = left.shift();
            const rules: WrittenFault[] = [];
            if (now && 'kind' in now) rules.push({ path: '/services/data', ...now });
            if (now && 'lock' in now)
              await post('lock', { externalIds: [String(9_500_000_000 + now.lock)], times: now.times });
            if (now && 'expire' in now) await post('expire-tokens');
            if (now && 'died' in now) session = await begin();
            stub.setFaults(rules);
            await post('bulk', { polls: 4, stuck: now !== undefined && 'stuck' in now });
            const batch = pickBatch(queue, salesforce.batchSize(settings), () => false);
            let results: ItemResult[];
            try {
              results = completeResults(batch.map(headOf), await session.deliver(batch));
            } catch (error) {
              if (!(error instanceof Unavailable)) throw error;
              continue;
            }
            const refused = results.find(({ outcome }) => outcome === 'failed');
            if (refused) throw new Error(`refused for good: ${refused.answer}`);
            const done = new Set(results.filter(({ outcome }) => outcome === 'sent').map((one) => one.item));
            queue = queue.filter((one) => !done.has(one.item));
          }
          // whatever is still at work over there comes to its end
          stub.setFaults([]);
          for (let n = 0; n < 30; n += 1) await salesforce.probe(settings, context);
          check(stub.state() as Org, all);
        } finally {
          await http.close();
          await stub.close();
        }
      },
    ),
    { numRuns: 40 },
  );
});

interface Org {
  contacts: Record<string, unknown>[];
  enrolments: Record<string, unknown>[];
}

/** The org against the model: the last item of each subject. */
function check({ contacts, enrolments }: Org, items: readonly ReturnType<typeof item>[]): void {
  const people = new Map<string, unknown>();
  const enrolled = new Map<string, unknown>();
  for (const one of items) {
    const account = personOf(one);
    if (one.course)
      enrolled.set(enrolmentKey(account, one.course), one.type === 'enrolment.add' ? 'Current' : 'Former');
    else people.set(account, [one.account!.lastName, one.account!.status === 'active' ? 'Active' : 'Disabled']);
  }
  const has = (rows: [unknown, unknown][], wanted: Map<string, unknown>): void => {
    const [a, b] = [rows, [...wanted]].map((list) => JSON.stringify([...list].sort()));
    if (a !== b) throw new Error(`the org has ${a} instead of ${b}`);
  };
  has(
    contacts.map((row) => [row['Rosterd_Account__c'], [row['LastName'], row['Rosterd_Status__c']]]),
    people,
  );
  has(
    enrolments.map((row) => [row['Rosterd_Key__c'], row['Rosterd_Status__c']]),
    enrolled,
  );
}
