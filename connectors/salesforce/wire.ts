import { z } from 'zod';

/** What Salesforce says, as far as it is used. */

/** Answer of the token endpoint. It has no lifetime: a session ends when a request says 401. */
export const tokenAnswer = z.object({
  access_token: z.string().min(1),
  instance_url: z.url(),
  /** Address of the identity; its last part is the id of the user. */
  id: z.string().optional(),
});

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
  createable: z.boolean().default(true),
  updateable: z.boolean().default(true),
  fields: z.array(
    z.object({
      name: z.string(),
      type: z.string().default('string'),
      length: z.number().default(0),
      nillable: z.boolean().default(true),
      defaultedOnCreate: z.boolean().default(false),
      externalId: z.boolean().default(false),
      unique: z.boolean().default(false),
      createable: z.boolean().default(true),
      updateable: z.boolean().default(true),
      restrictedPicklist: z.boolean().default(false),
      picklistValues: z.array(z.object({ value: z.string(), active: z.boolean() })).default([]),
      relationshipName: z.string().nullish(),
      referenceTo: z.array(z.string()).default([]),
    }),
  ),
});
export type Described = z.infer<typeof describeAnswer>;

/** A job of the Bulk API 2.0, as creation, changes, looks and lists give it. */
export const bulkJob = z.object({
  id: z.string().min(1),
  state: z.string(),
  operation: z.string().optional(),
  object: z.string().optional(),
  createdById: z.string().optional(),
  externalIdFieldName: z.string().nullish(),
  numberRecordsProcessed: z.number().optional(),
  errorMessage: z.string().nullish(),
});
export type BulkJob = z.infer<typeof bulkJob>;

/** A page of the list of all jobs of the org. */
export const bulkJobs = z.object({
  done: z.boolean(),
  records: z.array(bulkJob),
  nextRecordsUrl: z.string().nullish(),
});
