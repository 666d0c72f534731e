import type { FastifyRequest } from 'fastify';

/** What a `POST …/sis_imports` carries, or the answer that refuses it. */
export type Upload = { bytes: Uint8Array; extension: string } | { status: number; refusal: object };

/** Parameters of Canvas that would change what an import does, and that this stub does not have. */
const notHere = [
  'batch_mode',
  'batch_mode_term_id',
  'multi_term_batch_mode',
  'batch_mode_enrollment_drop_status',
  'skip_deletes',
  'override_sis_stickiness',
  'add_sis_stickiness',
  'clear_sis_stickiness',
  'update_sis_id_if_login_claimed',
  'diffing_data_set_identifier',
  'diffing_remaster_data_set',
  'diffing_drop_status',
  'diffing_user_remove_status',
  'change_threshold',
  'diff_row_count_threshold',
];

const extensions: Record<string, string> = { 'text/plain': 'csv', 'text/csv': 'csv', 'text/xml': 'xml' };

/** Reads a raw body or a form with an attachment, as `sis_imports_api_controller.rb` does. */
export async function readBody(request: FastifyRequest): Promise<Upload> {
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
  const refused = notHere.filter((name) => !['', '0', 'false'].includes(parameters.get(name) ?? ''));
  if (extension === 'xml') refused.push('extension=xml');
  if (refused.length > 0)
    return { status: 501, refusal: { errors: [{ message: `this stub does not do ${refused.join(', ')}` }] } };
  return { bytes, extension };
}
