import { z } from 'zod';

/** Settings that REST and CSV share. */
export const oneRosterSettings = {
  disabledUsers: z
    .enum(['leave-out', 'keep'])
    .default('leave-out')
    .describe('oneroster: what becomes of users with enabledUser false'),
  enrolments: z
    .enum(['not-ended', 'current', 'all'])
    .default('not-ended')
    .describe('oneroster: which enrolments count by their dates; endDate itself is the first day without'),
};
