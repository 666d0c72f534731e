import { z } from 'zod';
import type { JoinRules } from './join.ts';

/** Settings that REST and CSV share. They have no default, so that they are refused where there is no OneRoster. */
export const oneRosterSettings = {
  disabledUsers: z
    .enum(['leave-out', 'keep'])
    .optional()
    .describe('oneroster: what becomes of users with enabledUser false; default: leave-out'),
  enrolments: z
    .enum(['not-ended', 'current', 'all'])
    .optional()
    .describe(
      'oneroster: which enrolments count by their dates (endDate is the first day without); default: not-ended',
    ),
};

type Rules = Pick<JoinRules, 'disabledUsers' | 'enrolments'>;

/** The rules that are meant, with their defaults. */
export function joinSettings({ disabledUsers, enrolments }: { [K in keyof Rules]?: Rules[K] | undefined }): Rules {
  return { disabledUsers: disabledUsers ?? 'leave-out', enrolments: enrolments ?? 'not-ended' };
}
