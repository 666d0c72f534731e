import { z } from 'zod';
import { duration } from '../connector/settings.ts';
import type { IntegrationKey } from './config.ts';

/** The keys of the integration API. */

const hash = z
  .strictObject({
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'the 64 hex digits that rosterd integration-key prints; never the secret itself'),
  })
  .describe('the hash of a secret, as rosterd integration-key prints it');

/** Names of keys: they occur in headers and log fields. */
export const keyPattern = /^[a-z0-9][a-z0-9-]{0,99}$/;

const key = z
  .strictObject({
    key: z
      .string()
      .regex(keyPattern, 'has small letters, digits and "-", and starts with a letter or a digit')
      .describe('the key that the caller names itself by; no secret'),
    secret: z
      .union([hash.transform((one) => [one]), z.array(hash).min(1)])
      .describe('the secret that the caller shows, as its hash; a list while one is being replaced by another'),
    tenant: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .optional()
      .describe('what the caller is told that it works with; default: the institution'),
    may: z
      .array(z.enum(['read', 'write']))
      .refine((may) => may.includes('read'), 'read belongs to it: [read] or [read, write]')
      .default(['read'])
      .describe('read: look at the queue and preview; write: replay and answer as well'),
    rate: z
      .strictObject({
        requests: z.number().int().positive().default(60),
        per: duration.refine((ms) => ms > 0, 'is longer than nothing').prefault('1m'),
      })
      .prefault({})
      .describe('how many requests may come in what time'),
  })
  .transform(({ secret, tenant, rate, ...rest }) => ({
    ...{ ...rest, tenant: tenant ?? null, sha256: secret.map(({ sha256 }) => sha256) },
    rate: { requests: rate.requests, perMs: rate.per },
  }));

/** Who may call the integration API. */
export const integrationSchema = z
  .strictObject({ keys: z.array(key).min(1).describe('who may call it') })
  .superRefine(({ keys }, context) => {
    keys.forEach(({ key: name }, at) => {
      if (keys.findIndex((one) => one.key === name) < at)
        context.addIssue({ code: 'custom', path: ['keys', at, 'key'], message: `there is a key ${name} already` });
    });
  })
  .describe('the API by which other systems look at the queue and answer; at the address of listen; left out: none');

/** The keys as the code uses them. */
export function keysOf(
  { keys }: z.output<typeof integrationSchema>,
  institution: string,
): { keys: readonly IntegrationKey[] } {
  return { keys: keys.map((one) => ({ ...one, tenant: one.tenant ?? institution })) };
}
