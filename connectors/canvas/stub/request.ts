import type { FastifyRequest } from 'fastify';

/** What an import was asked to do beside its files, as Canvas keeps and shows it. */
export interface ImportOptions {
  dataSet: string | null;
  remaster: boolean;
  dropStatus: string | null;
  userRemoveStatus: string | null;
  changeThreshold: number | null;
  rowThreshold: number | null;
  skipDeletes: boolean;
  overrideStickiness: boolean;
  addStickiness: boolean;
  clearStickiness: boolean;
  takeOver: boolean;
}

/** What a `POST …/sis_imports` carries. */
export interface Upload {
  bytes: Uint8Array;
  extension: string;
  options: ImportOptions;
}

/** The answer that refuses a request. */
export interface Refusal {
  status: number;
  refusal: object;
}

/** Parameters of Canvas that would change what an import does, and that this stub does not have. */
const notHere = ['batch_mode', 'multi_term_batch_mode', 'batch_mode_enrollment_drop_status'];

const extensions: Record<string, string> = { 'text/plain': 'csv', 'text/csv': 'csv', 'text/xml': 'xml' };

/** A boolean as Canvas reads one. */
function isTrue(value: string | null): boolean {
  return ['1', 'true', 't', 'yes', 'y', 'on'].includes((value ?? '').trim().toLowerCase());
}

/** Reads a raw body or a form with an attachment, as `sis_imports_api_controller.rb` does. */
export async function readBody(
  request: FastifyRequest,
  terms: { has(id: string): boolean },
): Promise<Upload | Refusal> {
  const contentType = request.headers['content-type'] ?? '';
  const parameters = new URLSearchParams(request.url.split('?')[1]);
  let bytes = (request.body as Uint8Array | undefined) ?? new Uint8Array();
  let extension = parameters.get('extension');
  if (/^multipart\/form-data/i.test(contentType)) {
    const form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
    const attachment = form.get('attachment');
    if (!(attachment instanceof File))
      return { status: 400, refusal: { error: true, error_message: 'Missing attachment' } };
    bytes = new Uint8Array(await attachment.arrayBuffer());
    extension = attachment.name.split('.').at(-1)!;
    for (const [name, value] of form) if (typeof value === 'string') parameters.set(name, value);
  } else if (extension === null) {
    const charset = /;\s*charset="?([^";\s]+)/i.exec(contentType)?.[1] ?? 'utf-8';
    if (charset.toLowerCase() !== 'utf-8')
      return { status: 400, refusal: { error: 'Invalid content type, UTF-8 required' } };
    extension = extensions[contentType.split(';')[0]!.trim().toLowerCase()] ?? 'zip';
  }
  if ((parameters.get('import_type') ?? 'instructure_csv') !== 'instructure_csv')
    return { status: 500, refusal: { errors: [{ message: 'invalid import type parameter' }] } };
  const options = readOptions(parameters, terms);
  if ('refusal' in options) return options;
  const refused = notHere.filter((name) => !['', '0', 'false'].includes(parameters.get(name) ?? ''));
  if (extension === 'xml') refused.push('extension=xml');
  if (refused.length > 0)
    return { status: 501, refusal: { errors: [{ message: `this stub does not do ${refused.join(', ')}` }] } };
  return { bytes, extension, options };
}

/** The parameters, in the order in which the controller looks at them. */
function readOptions(parameters: URLSearchParams, terms: { has(id: string): boolean }): ImportOptions | Refusal {
  const get = (name: string): string | null => parameters.get(name) || null;
  const refuse = (message: string): Refusal => ({ status: 400, refusal: { message } });
  const multi = get('multi_term_batch_mode') !== null;
  const term = get('batch_mode_term_id')?.replace(/^sis_term_id:/, '');
  if (isTrue(get('batch_mode')) && !multi && !(term && terms.has(term)))
    return refuse('Batch mode specified, but the given batch_mode_term_id cannot be found.');
  if (multi && get('change_threshold') === null)
    return refuse('change_threshold is required to use multi term_batch mode.');
  const dataSet = get('diffing_data_set_identifier');
  if (dataSet !== null && Buffer.byteLength(dataSet) > 128) {
    const error = { attribute: 'diffing_data_set_identifier', type: 'too_long', message: 'too_long' };
    return { status: 400, refusal: { errors: { diffing_data_set_identifier: [error] } } };
  }
  const words: Record<string, readonly string[]> = {
    diffing_drop_status: ['deleted', 'inactive', 'completed', 'deleted_last_completed'],
    diffing_user_remove_status: ['deleted', 'suspended'],
    batch_mode_enrollment_drop_status: ['deleted', 'inactive', 'completed', 'deleted_last_completed'],
  };
  for (const [name, allowed] of Object.entries(words))
    if (get(name) !== null && !allowed.includes(get(name)!)) return refuse(`Invalid ${name}`);
  const number = (name: string): number | null => {
    const value = get(name);
    return value === null ? null : Number.parseInt(value, 10) || 0;
  };
  const override = isTrue(get('override_sis_stickiness'));
  return {
    dataSet,
    remaster: dataSet !== null && isTrue(get('diffing_remaster_data_set')),
    dropStatus: get('diffing_drop_status'),
    userRemoveStatus: get('diffing_user_remove_status'),
    changeThreshold: number('change_threshold'),
    rowThreshold: number('diff_row_count_threshold') || null,
    skipDeletes: isTrue(get('skip_deletes')),
    overrideStickiness: override,
    addStickiness: override && isTrue(get('add_sis_stickiness')),
    clearStickiness: override && isTrue(get('clear_sis_stickiness')),
    takeOver: isTrue(get('update_sis_id_if_login_claimed')),
  };
}
