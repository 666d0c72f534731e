import { z } from 'zod';
import { safeUrl, secret } from '../../src/connector/settings.ts';

/** An API name of an object, field or relationship. It goes into URLs, so nothing else is let through. */
const apiName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'an API name is letters, digits and underscores, such as Rosterd_Account__c');

const optionalField = (what: string) => apiName.nullish().describe(`field that takes ${what}; null: not sent`);

const contactFields = z.strictObject({
  id: optionalField("the institution's id"),
  email: optionalField('the e-mail address'),
  firstName: optionalField('the first name'),
  lastName: optionalField('the last name (a Contact cannot be created without one)'),
  kind: optionalField('`student` or `staff`'),
  year: optionalField('the year of study, a number'),
  status: apiName.describe('field that takes `Active` or `Disabled`: the only sign that a person has left'),
});

const enrolmentFields = z.strictObject({
  faculty: optionalField('the name of the faculty'),
  department: optionalField('the name of the department'),
  course: optionalField('the name of the course'),
  status: apiName.describe('field that takes `Current` or `Former`: the only sign that an enrolment has ended'),
});

const contact = z.strictObject({
  object: apiName.default('Contact').describe('object that holds people'),
  externalId: apiName
    .default('Rosterd_Account__c')
    .describe('field with the account number; a text field marked External Id and Unique'),
  fields: contactFields
    .default({
      id: 'Rosterd_Id__c',
      email: 'Email',
      firstName: 'FirstName',
      lastName: 'LastName',
      year: 'Rosterd_Year__c',
      status: 'Rosterd_Status__c',
    })
    .describe(
      'which field takes what; a map that is given replaces the default one, and what it leaves out is not sent',
    ),
});

const enrolment = z.strictObject({
  object: apiName.default('Rosterd_Enrolment__c').describe('object that holds enrolments'),
  externalId: apiName
    .default('Rosterd_Key__c')
    .describe('field with the key of the enrolment; a text field marked External Id and Unique'),
  contactRelation: apiName
    .default('Rosterd_Contact__r')
    .describe('relationship from the enrolment to its person (for a custom lookup the name that ends in __r)'),
  fields: enrolmentFields
    .default({
      faculty: 'Rosterd_Faculty__c',
      department: 'Rosterd_Department__c',
      course: 'Rosterd_Course__c',
      status: 'Rosterd_Status__c',
    })
    .describe(
      'which field takes what; a map that is given replaces the default one, and what it leaves out is not sent',
    ),
});

/** The keys of a `salesforce` target. Objects and fields are configuration: orgs differ, and none has ours built in. */
export const settings = z.strictObject({
  url: z
    .url()
    .regex(safeUrl, 'must begin with https:// (plain http only on this machine)')
    .describe('My Domain of the org, such as https://example.my.salesforce.com; not login.salesforce.com'),
  apiVersion: z
    .string()
    .regex(/^v(4[6-9]|[5-9]\d|\d{3})\.0$/, 'a version such as v62.0, from v46.0 on')
    .default('v62.0')
    .describe('version of the REST API'),
  clientId: z
    .string()
    .min(1)
    .describe('consumer key of the connected app (client credentials flow with a run-as user)'),
  clientSecret: secret.describe('consumer secret of the connected app, by reference: { env: NAME } or { file: /path }'),
  batch: z.int().min(1).max(200).default(200).describe('most records of one request; Salesforce takes 200'),
  contact: contact.prefault({}).describe('how people are written'),
  enrolment: enrolment.prefault({}).describe('how enrolments are written'),
});
export type SalesforceSettings = z.infer<typeof settings>;

/** Answer of the token endpoint. It has no lifetime: a session ends when a request says 401. */
export const tokenAnswer = z.object({ access_token: z.string().min(1), instance_url: z.url() });

/** Refusal of the token endpoint: an object, unlike every other error of the API. */
export const tokenRefusal = z.object({ error: z.string(), error_description: z.string().default('') });

/** Top-level error of the API, an array of these. The key is `errorCode` here and `statusCode` inside results. */
export const apiErrors = z
  .array(z.object({ errorCode: z.string(), message: z.string(), fields: z.array(z.string()).optional() }))
  .min(1);

/**
 * Results of a collections upsert, in the order of the request. `created` may be true on a record that failed, and `id`
 * is absent there, so `success` alone decides (jsforce test/connection-crud.test.ts).
 */
export const upsertResults = z.array(
  z.object({
    id: z.string().nullish(),
    success: z.boolean(),
    created: z.boolean().optional(),
    errors: z.array(z.object({ statusCode: z.string(), message: z.string() })).default([]),
  }),
);
/** What became of one record. */
export type UpsertResult = z.infer<typeof upsertResults>[number];

/** What `describe` says, as far as the check of an org needs it. */
export const describeAnswer = z.object({
  fields: z.array(
    z.object({
      name: z.string(),
      externalId: z.boolean().default(false),
      unique: z.boolean().default(false),
      createable: z.boolean().default(true),
      updateable: z.boolean().default(true),
      relationshipName: z.string().nullish(),
      referenceTo: z.array(z.string()).default([]),
    }),
  ),
});
export type Described = z.infer<typeof describeAnswer>;
