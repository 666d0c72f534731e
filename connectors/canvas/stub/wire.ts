import type { StubImport } from './imports.ts';
import type { Problem } from './upload.ts';

/** The stub's JSON, in the shapes of the SIS Imports API and its specs (canvas-lms `sis_imports_api_spec.rb`). */

/** Messages shown inside a SisImport; the rest is only counted there and is read from the errors list. */
const mostShown = 24;

/** A SisImport with every key that Canvas always gives. */
export function importJson(found: StubImport): Record<string, unknown> {
  const data: Record<string, unknown> = { import_type: 'instructure_csv' };
  if (found.endedAt !== null && found.state !== 'aborted') {
    data['supplied_batches'] = found.supplied;
    data['counts'] = found.counts;
    data['completed_importers'] = found.supplied;
    if (found.comparedWith !== null) data['diffed_against_sis_batch_id'] = found.comparedWith;
  }
  const { options } = found;
  const errors = found.problems.filter((problem) => problem.failure);
  const warnings = found.problems.filter((problem) => !problem.failure);
  return {
    id: found.id,
    created_at: found.createdAt,
    started_at: found.startedAt,
    ended_at: found.endedAt,
    updated_at: found.updatedAt,
    progress: found.progress,
    workflow_state: found.state,
    data,
    batch_mode: null,
    batch_mode_term_id: null,
    multi_term_batch_mode: null,
    override_sis_stickiness: options.overrideStickiness || null,
    add_sis_stickiness: options.addStickiness || null,
    clear_sis_stickiness: options.clearStickiness || null,
    update_sis_id_if_login_claimed: options.takeOver,
    diffing_data_set_identifier: options.dataSet,
    diffing_remaster: options.dataSet === null ? null : options.remaster,
    // null also of an import that was compared: so it was seen in production
    diffed_against_import_id: null,
    diffing_drop_status: options.dropStatus,
    diffing_user_remove_status: options.userRemoveStatus,
    skip_deletes: options.skipDeletes,
    change_threshold: options.changeThreshold,
    diff_row_count_threshold: options.rowThreshold,
    ...(options.dataSet !== null && { diffing_threshold_exceeded: found.thresholdExceeded }),
    ...(errors.length > 0 && { processing_errors: messages(errors, 'errors') }),
    ...(warnings.length > 0 && { processing_warnings: messages(warnings, 'warnings') }),
  };
}

function messages(problems: readonly Problem[], word: string): [string, string][] {
  const shown = problems.slice(0, mostShown).map(({ file, message }): [string, string] => [file ?? '', message]);
  const more = problems.length - shown.length;
  return more > 0 ? [...shown, ['', `there were ${more} more ${word}`]] : shown;
}

/** SisImportErrors, newest first. */
export function errorsJson(found: StubImport, failuresOnly: boolean): Record<string, unknown>[] {
  return found.problems
    .filter((problem) => problem.failure || !failuresOnly)
    .map(({ file, message, row, rowInfo }) => ({ sis_import_id: found.id, file, message, row_info: rowInfo, row }))
    .reverse();
}

/** One page of a list, and the `Link` header that leads to the next one. There is never a `last`. */
export function page<T>(list: readonly T[], address: URL): { part: T[]; link: string } {
  const size = Math.min(Number(address.searchParams.get('per_page') ?? 10) || 10, 100);
  // Page tokens are opaque on purpose: a client that builds page numbers finds nothing.
  const mark = address.searchParams.get('page');
  const start = mark === null ? 0 : Number(/^bookmark:(\d+)$/.exec(mark)?.[1] ?? Number.POSITIVE_INFINITY);
  const to = (offset: number, rel: string): string => {
    const target = new URL(address);
    target.searchParams.set('page', `bookmark:${offset}`);
    target.searchParams.set('per_page', String(size));
    return `<${target}>; rel="${rel}"`;
  };
  const links = [to(start, 'current'), to(0, 'first')];
  if (start + size < list.length) links.splice(1, 0, to(start + size, 'next'));
  return { part: list.slice(start, start + size), link: links.join(',') };
}
