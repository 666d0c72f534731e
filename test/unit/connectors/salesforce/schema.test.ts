import { expect, test } from 'vitest';
import { z } from 'zod';
import { salesforce } from '../../../../connectors/salesforce/connector.ts';
import { problems } from '../../../../connectors/salesforce/requirements.ts';
import { settings } from '../../../../connectors/salesforce/schema.ts';
import { outcomeOf } from '../../../../connectors/salesforce/upsert.ts';
import { describeAnswer, upsertResults } from '../../../../connectors/salesforce/wire.ts';

const least = { url: 'https://example.my.salesforce.com', clientId: 'id', clientSecret: { env: 'SF_SECRET' } };

test('three keys are enough; the rest has defaults', () => {
  const chosen = settings.parse(least);
  expect(chosen).toMatchObject({ apiVersion: 'v62.0', batch: 200, contact: { object: 'Contact' } });
  // as many requests as may be side by side
  expect(salesforce.batchSize(chosen)).toBe(400);
  expect(salesforce.batchSize(settings.parse({ ...least, bulk: {} }))).toBe(20_000);
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
  [
    {
      success: false,
      errors: [
        {
          statusCode: 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
          message: 'T: execution of AfterUpdate\n\ncaused by: first error: UNABLE_TO_LOCK_ROW, unable to obtain: []',
        },
        { statusCode: 'UNABLE_TO_LOCK_ROW', message: 'locked' },
      ],
    },
    'retry',
    'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: T: execution of AfterUpdate\n\ncaused by: first error: UNABLE_TO_LOCK_ROW, ' +
      'unable to obtain: []; UNABLE_TO_LOCK_ROW: locked',
  ],
  [
    {
      success: false,
      errors: [
        { statusCode: 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', message: 'first error: UNABLE_TO_LOCK_ROW, locked' },
        { statusCode: 'STRING_TOO_LONG', message: 'too long' },
      ],
    },
    'failed',
    'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: first error: UNABLE_TO_LOCK_ROW, locked; STRING_TOO_LONG: too long',
  ],
  [{ success: false }, 'failed', 'refused without a reason'],
])('a result %j is %s', (wire, outcome, answer) => {
  expect(outcomeOf(upsertResults.parse([wire])[0]!)).toEqual({ outcome, answer });
});

test('a description of an object is compared with the settings field by field', () => {
  const to = { object: 'Y', externalId: 'Id__c' };
  const expected = {
    ...{ object: 'X', externalId: 'key__C', key: 'x'.repeat(43) },
    fields: [
      { name: 'Sum__c', kind: 'text' as const },
      { name: 'Gone__c', kind: 'text' as const },
      { name: 'Year__c', kind: 'number' as const },
      { name: 'State__c', kind: 'text' as const, values: ['Current', 'Former'] },
      { name: 'Which__c', kind: 'text' as const, values: ['University Email'] },
    ],
    relations: [
      { name: 'Other__r', to, master: false },
      { name: 'Master__r', to, master: false },
      { name: 'Master__r', to, master: true },
    ],
  };
  const found = {
    updateable: false,
    fields: [
      { name: 'Key__c', externalId: true, unique: false, length: 18 },
      { name: 'Sum__c', updateable: false },
      { name: 'Year__c' },
      { name: 'State__c', length: 6, restrictedPicklist: true, picklistValues: [{ value: 'Former', active: true }] },
      { name: 'Which__c' },
      { name: 'Other__c', relationshipName: 'other__r', referenceTo: ['Z'] },
      { name: 'Master__c', relationshipName: 'Master__r', referenceTo: ['Y'], updateable: false, nillable: false },
      { name: 'Needed__c', nillable: false },
      { name: 'OwnerId', nillable: false, defaultedOnCreate: true },
    ],
  };
  expect(problems(expected, describeAnswer.parse(found))).toEqual([
    'the user may not create and edit X',
    'X.key__C must be marked Unique',
    'X.key__C takes 18 characters, and needs 43',
    'X.Sum__c cannot be written',
    'X has no field Gone__c',
    'X.Year__c is of type string, and takes a number',
    'X.State__c takes 6 characters, too few for Current',
    'X.State__c is a restricted picklist without the value Current',
    'X.Which__c is given University Email, and hed__universityemail__c is not among the fields: it would be blank',
    'X.Other__r does not lead to Y',
    'X.Master__c cannot be written again: allow reparenting, or make it a lookup',
    'X.Needed__c is required, and nothing fills it',
  ]);
});

const said = (more: object): string[] =>
  settings.safeParse({ ...least, ...more }).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ??
  [];
const jwt = { user: 'sync@example.edu', key: { env: 'SF_KEY' } };

test.each([
  ['two logins', { jwt }, ['jwt: one login is enough: give clientSecret or jwt, not both']],
  ['no login', { clientSecret: undefined }, [': no login: give clientSecret (client credentials) or jwt (JWT bearer)']],
  ['EDA without a term', { preset: 'eda' }, ['term: missing: a course offering belongs to a term']],
  ['a term that nobody uses', { term: { key: '1', name: 'One' } }, ['term: of no use: courses are not written']],
  [
    'enrolments that lead nowhere',
    { preset: 'eda', courses: null },
    ['enrolment.offeringRelation: leads to course offerings, and courses are not written'],
  ],
  [
    'a selector of no e-mail field',
    { contact: { preferredEmail: { field: 'P__c', value: 'x' }, fields: { status: 'S__c' } } },
    ['contact.preferredEmail: points at an e-mail field, and contact.fields names none'],
  ],
  [
    'batches that are never a job',
    { bulk: { from: 500, batch: 100 } },
    ['bulk.batch: less than bulk.from: no batch would ever be a job'],
  ],
  ['jobs larger than Salesforce takes', { bulk: { jobSize: '101MB' } }, ['bulk.jobSize: from 1KB to 100MB']],
])('%s: refused, with the reason', (_what, more, issues) => {
  expect(said(more)).toEqual(issues);
});

test('a preset is a default: any part of it can be replaced, and EDA takes courses', () => {
  const term = { key: '2026', name: 'Year 2026' };
  const chosen = settings.parse({
    ...{ ...least, preset: 'eda', term },
    contact: { fields: { lastName: 'LastName', status: 'State__c' } },
    enrolment: { values: { current: 'Enrolled', former: 'Withdrew' } },
    courses: { offering: { externalId: 'Other__c' } },
  });
  expect(chosen).toMatchObject({
    contact: { externalId: 'Rosterd_Account__c', preferredEmail: null, fields: { status: 'State__c' } },
    enrolment: { object: 'hed__Course_Enrollment__c', values: { current: 'Enrolled', former: 'Withdrew' } },
    courses: { offering: { object: 'hed__Course_Offering__c', externalId: 'Other__c', termRelation: 'hed__Term__r' } },
  });
  expect(salesforce.accepts(chosen)).toContain('course.create');
  expect(salesforce.accepts(chosen)).not.toContain('course.archive');
  expect(salesforce.accepts(settings.parse(least))).not.toContain('course.create');
  const plain = settings.parse({ ...least, preset: 'eda', courses: null, enrolment: { offeringRelation: null } });
  expect(salesforce.accepts(plain)).not.toContain('course.create');
});
