import { z } from 'zod';
import { duration, secret } from '../../src/connector/settings.ts';

/** Keys of `kind: canvas` in the configuration, beside the common ones of every target. */
export const canvasSettings = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('Canvas itself, such as https://example.instructure.com'),
  account: z
    .union([z.number().int().positive(), z.string().min(1)])
    .default('self')
    .describe('the root account: its number, or self, or sis_account_id:NAME; only root accounts may import'),
  token: secret.describe('access token of a user who may manage SIS imports'),
  batch: z.number().int().min(1).max(50_000).default(5000).describe('most changes of one import'),
  courses: z
    .enum(['ensure', 'existing'])
    .default('ensure')
    .describe('ensure: an import creates the courses that it enrols people in; existing: they must be there'),
  pollEvery: duration
    .prefault('2s')
    .describe('usual pause between two looks at a running import; shorter at first, up to 15 times as long later'),
  pollFor: duration.prefault('30m').describe('how long one attempt watches an import before it is tried again later'),
  role: z.string().min(1).default('student').describe('role of students in a course; staff are always teacher'),
  userStatusOnDisable: z
    .enum(['suspended', 'deleted'])
    .default('suspended')
    .describe('suspended keeps the data and blocks sign-in; deleted also takes away all enrolments'),
});
export type CanvasSettings = z.infer<typeof canvasSettings>;

/** The fields used of a SisImport object (Canvas SIS Imports API). */
export const sisImport = z.object({
  id: z.number().int(),
  workflow_state: z.string(),
  data: z.object({ error_message: z.string().nullish() }).nullish(),
});
export type SisImport = z.infer<typeof sisImport>;

/**
 * One SisImportError. `row` counts from 1 with the header as row 1; some importers give none (Canvas SIS Import Errors
 * API).
 */
export const sisImportError = z.object({
  file: z.string().nullish(),
  message: z.string(),
  row: z.number().int().nullish(),
});
export type SisImportError = z.infer<typeof sisImportError>;

/** One page of `GET …/sis_imports/:id/errors`. */
export const errorPage = z.object({ sis_import_errors: z.array(sisImportError) });

/** The fields used of `GET /api/v1/accounts/:id`; a root account has no `root_account_id` (Canvas Accounts API). */
export const account = z.object({
  id: z.number().int(),
  name: z.string(),
  root_account_id: z.number().int().nullish(),
});

/** `GET …/sis_imports`, read only to prove that it may be read. */
export const importList = z.object({ sis_imports: z.array(sisImport) });
