import { without } from '../base/redact.ts';
import type { DeliveryItem } from '../connector/target.ts';

/**
 * The same error, and its causes, without what the items say about their people. A target that refuses a whole batch
 * often quotes what it was sent; that error goes into the log, where an answer to one item does not.
 */
export function discreet(error: unknown, items: readonly DeliveryItem[]): unknown {
  const values = new Set(items.flatMap(valuesOf));
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth += 1)
    one.message = without(one.message, values);
  return error;
}

function valuesOf({ account }: DeliveryItem): string[] {
  if (!account) return [];
  const { account: number, id, alias, email, firstName, lastName, attributes } = account;
  const own = [number, id, alias, email, firstName, lastName, ...Object.values(attributes)];
  return own.filter((value): value is string => typeof value === 'string');
}
