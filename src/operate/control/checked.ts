import type { z } from 'zod';
import { Misconfigured } from '../../base/errors.ts';
import { check } from '../../configure/explain.ts';
import { pathText } from '../../configure/problems.ts';

/** A part of a request by its schema, with defaults filled in. Throws `Misconfigured` with everything that is wrong. */
export function checked(schema: z.ZodType, value: unknown, where: string): unknown {
  const result = check(schema, value, []);
  if ('data' in result) return result.data;
  const said = result.findings.map(({ path, message, remedy }) => {
    const place = pathText(path);
    return `${where}${place ? ` ${place}` : ''}: ${message}${remedy ? `; ${remedy}` : ''}`;
  });
  throw new Misconfigured(said.join('\n'));
}
