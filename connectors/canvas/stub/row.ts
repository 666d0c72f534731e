import type { ImportOptions } from './request.ts';

/** The means by which the row rules are written. */

/**
 * What an import says of its rows. `skipDeletes`: a good row that deletes is passed over. `takeOver`: a user with the login of
 * a row gets its SIS ID.
 */
export type RowOptions = Pick<ImportOptions, 'skipDeletes' | 'takeOver'>;

/** Reads a cell by column name: stripped, empty when blank or absent. */
export type Cell = (column: string) => string;

/** A refused row; the text is the message of the errors list. */
export class RowError extends Error {}

/** Throws `RowError` with the message when the condition holds. */
export function refuseIf(condition: boolean, message: string): void {
  if (condition) throw new RowError(message);
}

/** The listed word that the status begins with. */
export function statusOf<W extends string>(given: string, words: readonly W[], refusal: string): W {
  const found = words.find((word) => given.toLowerCase().startsWith(word));
  if (found === undefined) throw new RowError(refusal);
  return found;
}
