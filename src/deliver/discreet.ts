import { without } from '../base/redact.ts';
import type { DeliveryBatch, DeliveryItem } from '../connector/target.ts';

/** So many are looked for at once: of a large batch all would be as much as the batch. */
const valuesAtOnce = 10_000;

/**
 * The same error, and its causes, without what the items say about their people. A target that refuses a whole batch
 * often quotes what it was sent; that error goes into the log, where an answer to one item does not.
 */
export function discreet(error: unknown, items: DeliveryBatch): unknown {
  const said: Error[] = [];
  for (let one = error; one instanceof Error && said.length < 5; one = one.cause) said.push(one);
  const takeOut = (values: ReadonlySet<string>): void => {
    for (const one of said) one.message = without(one.message, values);
  };
  let values = new Set<string>();
  for (const item of items) {
    for (const value of valuesOf(item)) values.add(value);
    if (values.size < valuesAtOnce) continue;
    takeOut(values);
    values = new Set();
  }
  takeOut(values);
  return error;
}

function valuesOf({ account }: DeliveryItem): string[] {
  if (!account) return [];
  const { account: number, id, alias, email, firstName, lastName, attributes } = account;
  const own = [number, id, alias, email, firstName, lastName, ...Object.values(attributes)];
  return own.filter((value): value is string => typeof value === 'string');
}
