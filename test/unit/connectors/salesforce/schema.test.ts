import { expect, test } from 'vitest';
import { z } from 'zod';
import { salesforce } from '../../../../connectors/salesforce/connector.ts';
import { resultOf } from '../../../../connectors/salesforce/deliver.ts';
import { problems } from '../../../../connectors/salesforce/probe.ts';
import { describeAnswer, settings, upsertResults } from '../../../../connectors/salesforce/schema.ts';

const least = { url: 'https://example.my.salesforce.com', clientId: 'id', clientSecret: { env: 'SF_SECRET' } };

test('three keys are enough; the rest has defaults', () => {
  const chosen = settings.parse(least);
  expect(chosen).toMatchObject({ apiVersion: 'v62.0', batch: 200, contact: { object: 'Contact' } });
  expect(salesforce.batchSize(chosen)).toBe(200);
});

test.each([
  ['a secret in plain text', { clientSecret: 'hunter2' }],
  ['plain http over a network', { url: 'http://example.my.salesforce.com' }],
  ['a host that only begins like this machine', { url: 'http://localhost.example.com' }],
  ['more records than a request takes', { batch: 201 }],
  ['a field name that would reach into the path', { contact: { externalId: '../../x' } }],
  ['a map of people without a status', { contact: { fields: { lastName: 'LastName' } } }],
  ['a version without collections upsert', { apiVersion: 'v45.0' }],
  ['an unknown key', { clientID: 'id' }],
])('%s is refused', (_what, more) => {
  expect(settings.safeParse({ ...least, ...more }).success).toBe(false);
});

test('the settings have a JSON schema with a description of every key', () => {
  const { properties } = z.toJSONSchema(settings, { io: 'input' });
  for (const [key, property] of Object.entries(properties!)) expect(property, key).toHaveProperty('description');
});

/** Answers as recorded: jsforce test/connection-crud.test.ts, and a captured collections answer. */
test.each([
  [{ id: '003A', success: true, errors: [], created: true }, 'sent', 'created 003A'],
  [{ id: '003A', success: true, errors: [], created: false }, 'sent', 'updated 003A'],
  [
    { success: false, created: true, errors: [{ statusCode: 'MALFORMED_ID', message: 'bad id', fields: ['OwnerId'] }] },
    'failed',
    'MALFORMED_ID: bad id',
  ],
  [
    { success: false, errors: [{ statusCode: 'UNABLE_TO_LOCK_ROW', message: 'unable to obtain exclusive access' }] },
    'retry',
    'UNABLE_TO_LOCK_ROW: unable to obtain exclusive access',
  ],
  [
    {
      success: false,
      errors: [
        { statusCode: 'UNABLE_TO_LOCK_ROW', message: 'locked' },
        { statusCode: 'STRING_TOO_LONG', message: 'too long' },
      ],
    },
    'failed',
    'UNABLE_TO_LOCK_ROW: locked; STRING_TOO_LONG: too long',
  ],
  [{ success: false }, 'failed', 'refused without a reason'],
])('a result %j is %s', (wire, outcome, answer) => {
  expect(resultOf('i', upsertResults.parse([wire])[0]!)).toEqual({ item: 'i', outcome, answer });
});

test('a description of an object is compared with the settings field by field', () => {
  const fields = [
    { name: 'Key__c', externalId: true, unique: false },
    { name: 'Sum__c', updateable: false },
  ];
  expect(problems('X', 'key__C', ['Sum__c', 'Gone__c'], describeAnswer.parse({ fields }))).toEqual([
    'X.key__C must be marked Unique',
    'X.Sum__c cannot be written',
    'X has no field Gone__c',
  ]);
});
