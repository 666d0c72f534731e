import type { Clock } from '../../src/base/clock.ts';
import type { Imports } from './imports.ts';
import type { SisImport, SisImportError } from './schema.ts';

/**
 * What earlier imports of a data set mean for the next one. Canvas compares with the last import of the set that ended
 * well, and sends itself only what differs: a row that it refused then is in that import, and is never looked at again; a
 * row of an import that failed half-way may be in Canvas and in no import that counts. Then the next one has to be a
 * remaster, which applies everything and removes nothing. Nothing is kept here: Canvas knows its imports.
 */
export interface History {
  /** True when Canvas has, or may have, something of this data set to compare with. */
  exists: boolean;
  /** Why the next import has to be applied whole; null: it may be compared. */
  remaster: string | null;
}

/** Canvas keeps errors for 30 days; after that nobody knows any more what was refused. */
const errorsKnownMs = 29 * 86_400_000;
/** So many imports of the account are looked through, others' too. */
const mostImports = 2000;

/** A text that names a person or something of ours: an account number, or the digest at the end of an id. */
const nameOfOurs = /\b95[01]\d{7}\b|[0-9a-f]{12}\b/;

/**
 * Reads the history of a data set. `concerns` tells whether an error is about a row of this batch's items; only those have
 * to be asked for again, so that one row that Canvas always refuses does not make every import a whole one.
 */
export async function readHistory(
  imports: Imports,
  dataSet: string,
  clock: Clock,
  concerns: (error: SisImportError) => boolean,
  known: Map<number, SisImportError[]>,
): Promise<History> {
  let looked = 0;
  let newest: SisImport | null = null;
  for await (const one of imports.list()) {
    looked += 1;
    if (looked > mostImports)
      return { exists: true, remaster: 'its last whole import lies too far back among the imports of the account' };
    if (one.diffing_data_set_identifier !== dataSet) continue;
    const { id, workflow_state: state } = one;
    if (newest === null) {
      newest = one;
      if (one.diffing_threshold_exceeded)
        return { exists: true, remaster: `import ${id} exceeded a threshold, and is nothing to compare with` };
      if (!state.startsWith('imported'))
        return { exists: true, remaster: `import ${id} ended ${state}, and nobody knows what of it arrived` };
    }
    const whole = one.diffing_remaster === true || one.data?.diffed_against_sis_batch_id == null;
    if (state === 'imported_with_messages') {
      const age = clock.now().getTime() - Date.parse(one.created_at ?? '');
      if (!(age < errorsKnownMs)) return { exists: true, remaster: `what import ${id} refused is no longer known` };
      if (!known.has(id)) known.set(id, await imports.errorsOf(id));
      for (const error of known.get(id)!) {
        if (concerns(error)) return { exists: true, remaster: `import ${id} refused rows that are wanted now` };
        if (!whole && !isOfDiffing(error) && !nameOfOurs.test(`${error.row_info ?? ''} ${error.message}`))
          return { exists: true, remaster: `import ${id} has a message that names no row` };
      }
    }
    // An import without a difference looks like the first one, so only a remaster is surely where the set begins.
    if (one.diffing_remaster === true && state.startsWith('imported')) break;
  }
  return { exists: newest !== null, remaster: null };
}

/** True for what Canvas says of the comparison itself, in place of a row. */
export function isOfDiffing({ message }: Pick<SisImportError, 'message'>): boolean {
  return /^(Diffing not performed because|Couldn't generate diff|Unable to perform diffing|Can't perform diffing)/.test(
    message,
  );
}
