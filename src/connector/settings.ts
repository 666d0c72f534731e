import { z } from 'zod';
import { Secret } from '../base/secret.ts';

/** Pieces of configuration that connectors share. Each turns what is written into what the code uses. */

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration such as `10s`, `5m`, `2h`, `7d` (also `500ms`), in milliseconds once read. */
export const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'a duration is a whole number and a unit: 500ms, 10s, 5m, 2h, 7d')
  .transform((text) => {
    const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text)!;
    return Number(amount) * units[unit as keyof typeof units];
  })
  .describe('a duration: 500ms, 10s, 5m, 2h, 7d');

/** A size such as `64KB`, `10MB`, `2GB` (powers of 1024), in bytes once read. */
export const size = z
  .string()
  .regex(/^\d+(B|KB|MB|GB)$/, 'a size is a whole number and a unit: 64KB, 10MB, 2GB')
  .transform((text) => {
    const [, amount, unit] = /^(\d+)(B|KB|MB|GB)$/.exec(text)!;
    return Number(amount) * 1024 ** ['B', 'KB', 'MB', 'GB'].indexOf(unit!);
  })
  .describe('a size: 64KB, 10MB, 2GB');

/** A secret by reference. A value written into the file is refused: configuration is copied, mailed and committed. */
export const secret = z
  .union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
    error: 'a secret is named, never written here: { env: NAME } or { file: /path }',
  })
  .transform((origin) => new Secret(origin))
  .describe('a secret by reference: { env: NAME } or { file: /path }');

/** Addresses that a secret may be sent to. Loopback needs no encryption; anything else carries it over a network. */
export const safeUrl = /^(https:\/\/[^/]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)(\/|$)/i;
