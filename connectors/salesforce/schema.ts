import { z } from 'zod';
import { duration, safeUrl, secret, size } from '../../src/connector/settings.ts';
import type { CourseParts, Parts } from './parts.ts';
import { presets } from './presets.ts';

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

const replaces =
  'which field takes what; a map that is given replaces the default one, and what it leaves out is not sent';
const object = (what: string) => apiName.optional().describe(`object that holds ${what}`);
const externalId = (what: string) =>
  apiName.optional().describe(`field with ${what}; a text field marked External Id and Unique`);
const relation = (what: string) =>
  apiName.optional().describe(`relationship ${what} (for a custom lookup the name that ends in __r)`);
const nameField = apiName.optional().describe('field that takes the name');

const contact = z.strictObject({
  object: object('people'),
  externalId: externalId('the account number'),
  fields: contactFields.optional().describe(replaces),
  values: z
    .strictObject({ active: z.string().min(1), disabled: z.string().min(1) })
    .optional()
    .describe('what the status field is given, if not Active and Disabled'),
  preferredEmail: z
    .strictObject({ field: apiName, value: z.string().min(1) })
    .nullish()
    .describe('field that says which e-mail field is the preferred one; sent only together with an e-mail address'),
});

const enrolment = z.strictObject({
  object: object('enrolments'),
  externalId: externalId('the key of the enrolment'),
  contactRelation: relation('from the enrolment to its person'),
  offeringRelation: apiName
    .nullish()
    .describe('relationship from the enrolment to its course offering; goes with courses'),
  fields: enrolmentFields.optional().describe(replaces),
  values: z
    .strictObject({ current: z.string().min(1), former: z.string().min(1) })
    .optional()
    .describe('what the status field is given, if not Current and Former'),
});

const courses = z.strictObject({
  account: z
    .strictObject({ object: object('departments'), externalId: externalId('our key'), name: nameField })
    .optional()
    .describe('Accounts: one of the institution, one of each department'),
  term: z
    .strictObject({
      ...{ object: object('terms'), externalId: externalId('our key'), name: nameField },
      start: apiName.nullish().describe('field that takes the first day; null: not sent'),
      end: apiName.nullish().describe('field that takes the last day; null: not sent'),
      accountRelation: relation('from the term to its Account'),
    })
    .optional()
    .describe('terms; the one that courses are offered in is the key term of the target'),
  course: z
    .strictObject({
      ...{ object: object('courses'), externalId: externalId('our key'), name: nameField },
      accountRelation: relation('from the course to its Account'),
    })
    .optional()
    .describe('courses'),
  offering: z
    .strictObject({
      ...{ object: object('course offerings'), externalId: externalId('our key'), name: nameField },
      courseRelation: relation('from the offering to its course'),
      termRelation: relation('from the offering to its term'),
    })
    .optional()
    .describe('course offerings, which enrolments lead to'),
});

const day = z.iso.date().optional();
const term = z.strictObject({
  key: z.string().min(1).describe('what tells this term from others, such as 2026-27; never change it afterwards'),
  name: z.string().min(1).describe('its name in Salesforce'),
  account: z.string().min(1).optional().describe("name of the institution's Account; left out: the institution"),
  start: day.describe('first day, such as 2026-09-01'),
  end: day.describe('last day'),
});

const jwt = z.strictObject({
  user: z.string().min(1).describe('username that the sessions are of'),
  key: secret.describe("private key of the app's certificate, PEM, by reference"),
  passphrase: secret.optional().describe('passphrase of the key, by reference'),
  audience: z
    .union([z.enum(['login', 'test']), z.url({ protocol: /^https$/ })], {
      error: 'login, test (sandboxes), or an https address',
    })
    .default('login')
    .describe('login: login.salesforce.com; test: test.salesforce.com, for sandboxes; or the address of a site'),
});

/** Largest file of one job that Salesforce takes: 150 MB once it is encoded. */
const mostJobBytes = 100 * 1024 * 1024;

const bulk = z.strictObject({
  from: z.int().min(1).default(2000).describe('records of one object in a batch from which a job is used'),
  batch: z.int().min(1).max(200_000).default(20_000).describe('most items taken from the queue at once'),
  pollEvery: duration.prefault('2s').describe('first pause between two looks at a running job; up to 15 times as long'),
  pollFor: duration.prefault('30m').describe('how long a job is watched before it is aborted and tried again'),
  jobSize: size
    .prefault('100MB')
    .refine((bytes) => bytes >= 1024 && bytes <= mostJobBytes, 'from 1KB to 100MB')
    .describe('most bytes of one job; more become several'),
});

const written = z.strictObject({
  url: z
    .url()
    .regex(safeUrl, 'must begin with https:// (plain http only on this machine)')
    .describe('My Domain of the org, such as https://example.my.salesforce.com; not login.salesforce.com'),
  apiVersion: z
    .string()
    .regex(/^v(4[6-9]|[5-9]\d|\d{3})\.0$/, 'a version such as v62.0, from v46.0 on')
    .default('v62.0')
    .describe('version of the REST API'),
  clientId: z.string().min(1).describe('consumer key of the connected app'),
  clientSecret: secret
    .optional()
    .describe('consumer secret, by reference: logs in by client credentials (the app needs a run-as user)'),
  jwt: jwt.optional().describe('logs in by JWT bearer instead: a certificate in place of the secret'),
  preset: z
    .enum(['contact', 'eda'])
    .default('contact')
    .describe('contact: the standard Contact and an object of your own; eda: Education Data Architecture'),
  batch: z.int().min(1).max(200).default(200).describe('most records of one request; Salesforce takes 200'),
  concurrency: z.int().min(1).max(10).default(2).describe('requests side by side'),
  stopAtPercent: z
    .number()
    .min(1)
    .max(100)
    .default(95)
    .describe("share of the org's daily API requests, in per cent, at which delivery stops by itself for an hour"),
  duplicates: z
    .enum(['refuse', 'allow'])
    .default('refuse')
    .describe('allow: records are saved although a duplicate rule of the org warns of them'),
  bulk: bulk.nullable().default(null).describe('Bulk API 2.0 jobs for many records; null: never'),
  contact: contact.prefault({}).describe('how people are written'),
  enrolment: enrolment.prefault({}).describe('how enrolments are written'),
  courses: courses.nullish().describe('how courses are written; null: not at all'),
  term: term.optional().describe('the term that courses are offered in; needed where courses are written'),
});

/** The settings as the code uses them: the preset, with what was written in its place. */
export type SalesforceSettings = Omit<z.infer<typeof written>, keyof Parts> & Parts;

/** The keys of a `salesforce` target. Objects and fields are configuration: orgs differ, and none has ours built in. */
export const settings = written.transform((chosen, ctx): SalesforceSettings => {
  const preset = presets[chosen.preset];
  const refuse = (path: string[], message: string): void => void ctx.addIssue({ code: 'custom', path, message });
  if (chosen.clientSecret && chosen.jwt) refuse(['jwt'], 'one login is enough: give clientSecret or jwt, not both');
  if (!chosen.clientSecret && !chosen.jwt)
    refuse([], 'no login: give clientSecret (client credentials) or jwt (JWT bearer)');
  const made: SalesforceSettings = {
    ...chosen,
    contact: over(preset.contact, chosen.contact),
    enrolment: over(preset.enrolment, chosen.enrolment),
    courses: courseParts(preset.courses, chosen.courses),
  };
  const { contact: people, enrolment: enrolments } = made;
  if (people.preferredEmail && !people.fields.email) {
    if (chosen.contact.preferredEmail)
      refuse(['contact', 'preferredEmail'], 'points at an e-mail field, and contact.fields names none');
    people.preferredEmail = null;
  }
  if (made.courses && !enrolments.offeringRelation)
    refuse(['enrolment', 'offeringRelation'], 'missing: courses are written, and no enrolment leads to them');
  if (!made.courses && enrolments.offeringRelation)
    refuse(['enrolment', 'offeringRelation'], 'leads to course offerings, and courses are not written');
  if (made.courses && !chosen.term) refuse(['term'], 'missing: a course offering belongs to a term');
  if (!made.courses && chosen.term) refuse(['term'], 'of no use: courses are not written');
  if (chosen.bulk && chosen.bulk.batch < chosen.bulk.from)
    refuse(['bulk', 'batch'], 'less than bulk.from: no batch would ever be a job');
  return made;
});

/** The default with what was given in its place, key by key. `null` is given. */
function over<T extends object>(preset: T, given: { [K in keyof T]?: T[K] | undefined }): T {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...preset, ...Object.fromEntries(entries) };
}

function courseParts(
  preset: CourseParts | null,
  given: z.infer<typeof courses> | null | undefined,
): CourseParts | null {
  if (given === null || (!preset && !given)) return null;
  const base = preset ?? presets.eda.courses!;
  return {
    account: over(base.account, given?.account ?? {}),
    term: over(base.term, given?.term ?? {}),
    course: over(base.course, given?.course ?? {}),
    offering: over(base.offering, given?.offering ?? {}),
  };
}
