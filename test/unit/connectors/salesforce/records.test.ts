import { describe, expect, test } from 'vitest';
import { enrolmentKey, type Prepared, prepare, recordOf, rounds } from '../../../../connectors/salesforce/records.ts';
import { type SalesforceSettings, settings } from '../../../../connectors/salesforce/schema.ts';
import type { AccountFacts, ChangeType, DeliveryItem } from '../../../../src/connector/target.ts';

const person: AccountFacts = {
  account: '9500000001',
  id: 's-1',
  email: 'ada@example.edu',
  firstName: 'Ada',
  lastName: 'Byron',
  kind: 'student',
  year: 2,
  status: 'active',
  attributes: {},
};
const design = { faculty: 'Engineering', department: 'Mechanical Engineering', course: 'Car Design' };
const org = { url: 'https://example.my.salesforce.com', clientId: 'id', clientSecret: { env: 'NOT_READ' } };

function item(type: ChangeType, more: Partial<AccountFacts> = {}): DeliveryItem {
  return {
    item: `p:1:${type}`,
    type,
    account: { ...person, ...more },
    course: type.startsWith('enrolment.') ? design : null,
    changed: [],
    before: null,
    emailConfirmed: false,
  };
}

/** As it is in a request. */
const record = (chosen: SalesforceSettings, of: DeliveryItem) =>
  recordOf((of.course ? chosen.enrolment : chosen.contact).object, prepare(chosen, of).fields);

describe('a person as a record', () => {
  test('carries every mapped field, a missing id as null, and no id of the org', () => {
    expect(record(settings.parse(org), item('account.create', { id: null }))).toEqual({
      attributes: { type: 'Contact' },
      Rosterd_Account__c: '9500000001',
      Rosterd_Id__c: null,
      Email: 'ada@example.edu',
      FirstName: 'Ada',
      LastName: 'Byron',
      Rosterd_Year__c: 2,
      Rosterd_Status__c: 'Active',
    });
  });

  test.each([
    ['account.create', 'active', 'Active'],
    ['account.enable', 'active', 'Active'],
    ['account.disable', 'disabled', 'Disabled'],
    ['account.update', 'active', 'Active'],
    ['account.update', 'disabled', 'Disabled'],
  ] as const)('%s of an account that is %s says %s', (type, status, said) => {
    expect(prepare(settings.parse(org), item(type, { status })).fields['Rosterd_Status__c']).toBe(said);
  });

  test('a map of fields replaces the default one, and null leaves a field out', () => {
    const chosen = settings.parse({
      ...org,
      contact: { object: 'Person__c', fields: { lastName: 'Name', kind: 'Kind__c', email: null, status: 'State__c' } },
    });
    expect(record(chosen, item('account.create'))).toEqual({
      attributes: { type: 'Person__c' },
      Rosterd_Account__c: '9500000001',
      Name: 'Byron',
      Kind__c: 'student',
      State__c: 'Active',
    });
  });
});

describe('an enrolment as a record', () => {
  test('names its person by external id and says Former when it ends', () => {
    const chosen = settings.parse(org);
    const added = record(chosen, item('enrolment.add'));
    expect(added).toEqual({
      attributes: { type: 'Rosterd_Enrolment__c' },
      Rosterd_Key__c: enrolmentKey('9500000001', design),
      Rosterd_Contact__r: { Rosterd_Account__c: '9500000001' },
      Rosterd_Faculty__c: 'Engineering',
      Rosterd_Department__c: 'Mechanical Engineering',
      Rosterd_Course__c: 'Car Design',
      Rosterd_Status__c: 'Current',
    });
    expect(record(chosen, item('enrolment.remove'))).toEqual({ ...added, Rosterd_Status__c: 'Former' });
  });

  test('has a key that tells courses apart by all three names and by case, and fits a field', () => {
    const keys = [
      enrolmentKey('9500000001', design),
      enrolmentKey('9500000002', design),
      enrolmentKey('9500000001', { ...design, course: 'CAR DESIGN' }),
      enrolmentKey('9500000001', { ...design, faculty: 'Arts' }),
      enrolmentKey('9500000001', {
        faculty: 'Engineering / Mechanical Engineering',
        department: 'Car',
        course: 'Design',
      }),
      enrolmentKey('9500000001', { ...design, course: 'x'.repeat(4000) }),
    ];
    expect(new Set(keys.map((key) => key.toLowerCase())).size).toBe(keys.length);
    for (const key of keys) expect(key.length).toBeLessThanOrEqual(255);
  });
});

describe('records in requests', () => {
  const entry = (text: string): Prepared<string> => {
    const [key, parent = ''] = text.split('@');
    return { about: text, key: key!, parent, fields: {} };
  };
  const cut = (entries: string[], size: number) =>
    rounds(entries.map(entry), size).map((round) => round.map((request) => request.map(({ about }) => about)));

  test('are cut at the size', () => {
    expect(cut(['a', 'b', 'c', 'd', 'e'], 2)).toEqual([[['a', 'b'], ['c', 'd'], ['e']]]);
    expect(cut([], 2)).toEqual([]);
  });

  test('hold no key twice in what may be under way at one time, whatever its case, and keep the order of one key', () => {
    expect(cut(['a', 'A', 'b', 'a'], 200)).toEqual([[['a', 'b']], [['A']], [['a']]]);
    expect(cut(['a', 'b', 'a', 'c'], 1)).toEqual([[['a'], ['b'], ['c']], [['a']]]);
  });

  test('stand together by parent, which they lock', () => {
    expect(cut(['a@2', 'b@1', 'c@2', 'd@1'], 2)).toEqual([
      [
        ['b@1', 'd@1'],
        ['a@2', 'c@2'],
      ],
    ]);
  });
});
