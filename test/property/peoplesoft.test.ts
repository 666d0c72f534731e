import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Denied, Unavailable } from '../../src/base/errors.ts';
import type { WrittenFault } from '../../src/connector/stub.ts';
import type { AccountFacts, DeliveryItem, ItemResult, TargetSession } from '../../src/connector/target.ts';
import { completeResults, headOf, pickBatch } from '../../src/deliver/batch.ts';
import { personOf } from '../../src/outbox/items.ts';
import { item, openSite, restOperations, type Site, shapes, withConfirm } from '../support/peoplesoft.ts';

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 40);

/** What happens to one person; whether it can happen next depends on what stands. */
type Step = 'rename' | 'leave' | 'return' | 'enrol' | 'drop';

interface Told {
  items: DeliveryItem[];
  person: AccountFacts;
  enrolled: boolean | null;
}

/** A history as a plan would have it: each change is one from what stands. Names are told apart by number. */
function tell(account: string, steps: readonly Step[]): Told {
  let facts: Partial<AccountFacts> = { lastName: 'v0', status: 'active' };
  let enrolled: boolean | null = null;
  const items = [item('account.create', account, facts)];
  steps.forEach((step, n) => {
    const active = facts.status === 'active';
    if (step === 'rename') {
      facts = { ...facts, lastName: `v${n + 1}`, year: n % 2 ? null : n };
      items.push(item('account.update', account, facts));
    } else if (step === 'leave' && active) {
      facts = { ...facts, status: 'disabled' };
      items.push(item('account.disable', account, facts));
    } else if (step === 'return' && !active) {
      facts = { ...facts, status: 'active' };
      items.push(item('account.enable', account, facts));
    } else if (step === 'enrol' && !enrolled) {
      enrolled = true;
      items.push(item('enrolment.add', account, facts));
    } else if (step === 'drop' && enrolled) {
      enrolled = false;
      items.push(item('enrolment.remove', account, facts));
    }
  });
  return { items, person: items.at(-1)!.account!, enrolled };
}

/** What `deliver` answers, as whoever asks for the delivery takes it; nothing that is thrown settles an item. */
async function give(session: TargetSession, batch: DeliveryItem[]): Promise<ItemResult[]> {
  try {
    return completeResults(batch.map(headOf), await session.deliver(batch));
  } catch (error) {
    if (error instanceof Unavailable || error instanceof Denied) return completeResults(batch.map(headOf), []);
    throw error;
  }
}

/** One delivery: everybody once, the items of one person in order. What failed is put by with all that follows it. */
async function deliverOnce(session: TargetSession, queue: DeliveryItem[], size: number): Promise<Set<string>> {
  const put = new Set<string>();
  const failed = new Set<string>();
  for (;;) {
    const batch = pickBatch(queue, size, (who) => put.has(who));
    if (batch.length === 0) return failed;
    for (const { item: id, outcome } of await give(session, batch)) {
      const at = queue.findIndex((one) => one.item === id);
      const who = personOf(queue[at]!);
      if (outcome !== 'sent') put.add(who);
      if (outcome === 'failed') failed.add(who);
      if (outcome === 'sent' && !put.has(who)) queue.splice(at, 1);
      // what was sent after something that was not is sent once more when that was: it is a state to reach
    }
  }
}

const fault: fc.Arbitrary<WrittenFault> = fc
  .record({ count: fc.integer({ min: 1, max: 6 }), share: fc.constantFrom(1, 0.5, 0.3) })
  .chain((often) =>
    fc.constantFrom<WrittenFault>(
      { status: 500, ...often },
      { status: 503, ...often },
      { kind: 'reset', when: 'before', ...often },
      { kind: 'reset', when: 'after', ...often },
      { kind: 'partial', ...often },
      { kind: 'drip', bytes: 40, delayMs: 1, ...often },
    ),
  );
const lie: fc.Arbitrary<WrittenFault> = fc
  .tuple(fc.constantFrom('{"errors":[{"MessageText":"bad"}]}', '{"half":', ''), fc.integer({ min: 1, max: 3 }))
  .map(([body, count]) => ({ kind: 'body', body, count }));

const steps = fc.array(fc.constantFrom<Step>('rename', 'leave', 'return', 'enrol', 'drop'), {
  maxLength: 7,
  size: 'max',
});
const setting = fc.record({
  shape: fc.constantFrom('rest', 'ci-rest', 'ci-soap', 'iscript', 'wsse', 'rowset', 'rowset-http'),
  people: fc.array(steps, { minLength: 1, maxLength: 6 }),
  rounds: fc.array(fc.array(fault, { maxLength: 4 }), { maxLength: 5, size: 'max' }),
  lies: fc.option(fc.array(lie, { minLength: 1, maxLength: 3 }), { freq: 1 }),
  processAfter: fc.integer({ min: 0, max: 4 }),
  size: fc.integer({ min: 1, max: 20 }),
  concurrency: fc.integer({ min: 1, max: 6 }),
  restart: fc.boolean(),
});

async function play(site: Site, given: typeof setting extends fc.Arbitrary<infer G> ? G : never): Promise<void> {
  const isRowset = given.shape.startsWith('rowset');
  const isAsync = isRowset || (given.shape === 'rest' && given.processAfter > 0);
  const plain = given.shape === 'rest' ? restOperations : shapes[given.shape]!;
  const operations = isAsync ? withConfirm(plain, { within: '1d' }) : plain;
  await site.mode({ async: isAsync, processAfter: given.processAfter });
  const { concurrency } = given;
  // a lie makes an item fail; without one nothing may
  const make = () => site.settings({ operations, concurrency, silentAnswers: given.lies ? 3 : 1000 });
  let settings = make();
  const told = given.people.map((own, n) => tell(`95000000${10 + n}`, own));
  const queue = told.flatMap(({ items }) => items);
  for (const [n, faults] of [...given.rounds, []].entries()) {
    site.stub.setFaults([...faults, ...((n % 2 === 0 && n < given.rounds.length && given.lies) || [])]);
    if (given.restart) settings = make();
    const failed = await deliverOnce(await site.open(settings), queue, given.size);
    if (!given.lies) expect(failed).toEqual(new Set());
  }
  site.stub.setFaults([]);
  for (let more = 0; queue.length > 0 && more < 400; more += 1)
    await deliverOnce(await site.open(settings), queue, given.size);
  expect(queue).toEqual([]);

  const { persons, enrolments, effects, monitor } = site.state();
  expect(monitor).toEqual([]);
  expect(persons).toEqual(
    told.map(({ person: { account, id, attributes: _, ...rest } }) =>
      expect.objectContaining({ account, emplid: id, ...rest }),
    ),
  );
  const standing = told.flatMap(({ person, enrolled }) =>
    enrolled === null ? [] : [[person.account, enrolled ? 'enrolled' : 'dropped']],
  );
  expect(enrolments.map(({ account, status }) => [account, status])).toEqual(standing);
  if (given.lies) return;
  // one person's requests had their effects in order: each again at most, none after a later one
  for (const { items, person } of told) {
    const own = effects
      .filter((one) => one.startsWith(person.account))
      .map((one) => one.split(' ').slice(1, 3).join(' '));
    const once = own.filter((one, n) => one !== own[n - 1]);
    const wanted = items.map(({ type, account: facts }) => {
      if (type.startsWith('account.')) return `${facts!.status} ${facts!.lastName}`;
      return type === 'enrolment.add' ? 'ADD' : 'REMOVE';
    });
    expect(once.map((one) => one.replace(/^(ADD|REMOVE) .*/, '$1'))).toEqual(
      wanted.filter((one, n) => one !== wanted[n - 1]),
    );
  }
}

test('whatever goes wrong on the way, in the end PeopleSoft has what was told, in the order it was told', async () => {
  await fc.assert(
    fc.asyncProperty(setting, async (given) => {
      const site = await openSite();
      await play(site, given).finally(() => site.close());
    }),
    { numRuns },
  );
});
