import type { Readable } from 'node:stream';
import { MIMEType } from 'node:util';
import type { FastifyRequest } from 'fastify';
import { type Push, Refused } from '../connector/inbox.ts';

/** Bodies of pushes, as they come in: nothing is read here before somebody asks for it. */

/** What a push carries, and as what. */
export type Taken = Pick<Push, 'type' | 'body'>;

/** A JSON list. */
export function jsonOf(request: FastifyRequest): Taken {
  contentType(request, ['application/json']);
  return { type: 'json', body: bytesOf(request.raw) };
}

/** A table: the body itself, or the one file of a form. */
export function tableOf(request: FastifyRequest): Taken {
  const type = contentType(request, ['text/csv', 'application/csv', 'multipart/form-data']);
  return { type: 'csv', body: type === 'multipart/form-data' ? fileOf(request) : bytesOf(request.raw) };
}

/** The media type, when it is one of these, in UTF-8, and not packed. */
function contentType({ headers }: FastifyRequest, wanted: readonly string[]): string {
  const refuse = (): Refused =>
    new Refused(415, `the body has to be ${wanted.join(' or ')}, in UTF-8 and not compressed`);
  let type: MIMEType;
  try {
    type = new MIMEType(headers['content-type'] ?? '');
  } catch {
    throw refuse();
  }
  const charset = type.params.get('charset')?.toLowerCase() ?? 'utf-8';
  const packed = headers['content-encoding'] ?? 'identity';
  if (!wanted.includes(type.essence) || !['utf-8', 'utf8', 'us-ascii'].includes(charset) || packed !== 'identity')
    throw refuse();
  return type.essence;
}

/** What is not read is left: a socket that is destroyed would never carry the answer that says why. */
async function* bytesOf(stream: Readable): AsyncGenerator<Buffer> {
  try {
    yield* stream.iterator({ destroyOnReturn: false });
  } catch {
    throw cutBody();
  }
}

const cutBody = (): Refused => new Refused(400, 'the body ended before its end');

/** The one file of a form. Its reader does not notice a sender that goes away, so that is looked after here. */
async function* fileOf(request: FastifyRequest): AsyncGenerator<Buffer> {
  let files = 0;
  let reading: Readable | null = null;
  const { raw } = request;
  const gone = new Promise<never>((_, reject) => {
    const end = (): void => {
      if (raw.complete) return;
      reject(cutBody());
      reading?.destroy(cutBody());
    };
    if (raw.destroyed) end();
    else raw.once('close', end);
  });
  gone.catch(() => {});
  try {
    const parts = request.parts();
    for (;;) {
      const { done, value: part } = await Promise.race([parts.next(), gone]);
      if (done) break;
      if (part.type !== 'file')
        throw new Refused(400, 'the form has a field that is no file', 'answer is a parameter of the URL');
      files += 1;
      if (files > 1) throw new Refused(400, 'the form has more than one file', 'send each file as a push of its own');
      reading = part.file;
      yield* bytesOf(part.file);
    }
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(400, `the form cannot be read: ${(error as Error).message}`);
  }
  if (!files) throw new Refused(400, 'the form has no file');
}
