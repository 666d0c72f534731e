import { z } from 'zod';
import { duration, safeUrl, secret } from '../../src/connector/settings.ts';

/** A day or a moment, as Canvas reads dates of a term. */
const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })], {
  error: 'a day or a moment: 2026-09-01, or 2026-09-01T00:00:00Z',
});

const keys = z.strictObject({
  url: z
    .url()
    .regex(safeUrl, 'must begin with https:// (plain http only on this machine)')
    .describe('Canvas itself, such as https://example.instructure.com'),
  account: z
    .union([z.number().int().positive(), z.string().min(1)])
    .default('self')
    .describe('the root account: its number, or self, or sis_account_id:NAME; only root accounts may import'),
  token: secret.describe('access token of a user who may manage SIS imports and logins'),
  mode: z
    .enum(['changes', 'full'])
    .default('changes')
    .describe('changes: an import brings the changes; full: it brings the whole roster, and Canvas finds what differs'),
  full: z
    .strictObject({
      identifier: z
        .string()
        .min(1)
        .refine((text) => Buffer.byteLength(text) <= 128, 'Canvas takes at most 128 bytes')
        .optional()
        .describe('name of the data set in Canvas; left out: rosterd, the institution and the target'),
      changeThreshold: z
        .number()
        .int()
        .min(0)
        .max(100)
        .default(10)
        .describe('when the roster is larger or smaller than the last one by more per cent, Canvas removes nothing'),
      rowThreshold: z.number().int().positive().optional().describe('the same, by the number of rows that differ'),
    })
    .optional()
    .describe('what only mode: full has'),
  batch: z.number().int().min(1).max(100_000).default(5000).describe('most changes of one import'),
  accounts: z
    .enum(['none', 'faculties', 'departments'])
    .default('none')
    .describe(
      'sub-accounts that imports make and put courses into: none, one per faculty, or departments in faculties',
    ),
  term: z
    .strictObject({
      id: z.string().min(1).describe('term_id'),
      name: z.string().min(1),
      start: moment.optional(),
      end: moment.optional(),
    })
    .optional()
    .describe('the term that imports make and put courses into; left out: the one they are in, or the default term'),
  sections: z
    .enum(['none', 'course'])
    .default('none')
    .describe('none: enrolments are in the default section of the course; course: in a section of rosterd’s own'),
  courses: z
    .enum(['ensure', 'existing'])
    .default('ensure')
    .describe('ensure: an import creates the courses that it enrols people in; existing: they must be there'),
  roles: z
    .strictObject({
      student: z.string().min(1).default('student').describe('role of students'),
      staff: z.string().min(1).default('teacher').describe('role of staff'),
    })
    .prefault({})
    .describe('roles in a course; custom ones as Canvas writes them, capitals count'),
  role: z.never({ error: 'write roles: { student: …, staff: … } in place of role' }).optional(),
  removedEnrolments: z
    .enum(['deleted', 'completed', 'inactive'])
    .optional()
    .describe('what a removed enrolment becomes; left out: deleted in mode: changes, inactive in mode: full'),
  login: z
    .enum(['email', 'id'])
    .default('email')
    .describe('what people sign in with: their e-mail address, or the id; without an id somebody is refused then'),
  takeOver: z
    .boolean()
    .default(false)
    .describe(
      'true: a user who has the login and another SIS ID becomes the person, with all that is theirs; false: is refused',
    ),
  userStatusOnDisable: z
    .enum(['suspended', 'deleted'])
    .default('suspended')
    .describe('suspended keeps the data and blocks sign-in; deleted also takes away all enrolments'),
  endSessions: z
    .boolean()
    .default(true)
    .describe('true: whoever is disabled is signed out too, everywhere; false: sessions last as long as they do'),
  stickiness: z
    .enum(['keep', 'override', 'add', 'clear'])
    .default('keep')
    .describe(
      'keep: what was edited in Canvas stays; override: imports win; add and clear: and then it sticks, or not',
    ),
  pollEvery: duration
    .prefault('2s')
    .describe('usual pause between two looks at a running import; shorter at first, up to 15 times as long later'),
  pollFor: duration.prefault('30m').describe('how long one attempt watches an import before it is tried again later'),
});

/** Keys of `kind: canvas` in the configuration, beside the common ones of every target. */
export const canvasSettings = keys.superRefine(({ mode, full, removedEnrolments, userStatusOnDisable }, context) => {
  const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
  if (mode === 'changes' && full) refuse('full', 'full is for mode: full only');
  const why = 'mode: full has Canvas skip all deletions, so that no comparison can delete a course';
  if (mode === 'full' && removedEnrolments === 'deleted')
    refuse('removedEnrolments', `${why}: write inactive or completed`);
  if (mode === 'full' && userStatusOnDisable === 'deleted') refuse('userStatusOnDisable', `${why}: write suspended`);
});
export type CanvasSettings = z.infer<typeof canvasSettings>;

/**
 * The fields used of a SisImport object (Canvas SIS Imports API). What an import was compared with stands in `data`;
 * `diffed_against_import_id` has been seen to be null beside it.
 */
export const sisImport = z.object({
  id: z.number().int(),
  workflow_state: z.string(),
  created_at: z.string().nullish(),
  diffing_data_set_identifier: z.string().nullish(),
  diffing_remaster: z.boolean().nullish(),
  diffing_threshold_exceeded: z.boolean().nullish(),
  data: z
    .object({ error_message: z.string().nullish(), diffed_against_sis_batch_id: z.number().int().nullish() })
    .nullish(),
});
export type SisImport = z.infer<typeof sisImport>;

/**
 * One SisImportError. `row` counts from 1 with the header as row 1, in the file that Canvas worked on: of a compared
 * import that is the difference, not what was sent. Some importers give none (Canvas SIS Import Errors API).
 */
export const sisImportError = z.object({
  file: z.string().nullish(),
  message: z.string(),
  row: z.number().int().nullish(),
  row_info: z.string().nullish(),
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

/** One page of `GET …/sis_imports`. */
export const importList = z.object({ sis_imports: z.array(sisImport) });
