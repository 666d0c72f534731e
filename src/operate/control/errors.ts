import { kindOf, Misconfigured, RosterdError } from '../../base/errors.ts';

/** Asked for what is not there. */
export class NotFound extends Misconfigured {}

/** Cannot be done as things stand: somebody else was faster, or something comes first. */
export class Conflict extends Misconfigured {}

/** An error as the socket tells it. What is no error of ours is a bug, and nobody's business but the log's. */
export interface ErrorJson {
  error: { kind: ReturnType<typeof kindOf>; message: string; remedy: string | null };
}

/** Makes it. */
export function errorJson(error: unknown): ErrorJson {
  const ours = error instanceof RosterdError;
  const message = ours ? error.message : 'a fault of rosterd, the log has it';
  return { error: { kind: kindOf(error), message, remedy: (ours && error.remedy) || null } };
}

/** Ids of items are longer than what the library takes for a part of a path. */
export const longestParam = 2000;

const statuses = {
  Misconfigured: 400,
  Denied: 403,
  Unavailable: 503,
  Incomplete: 409,
  Rejected: 409,
  Unexpected: 500,
} as const;

/** HTTP's word for an error. */
export function statusOf(error: unknown): number {
  if (error instanceof NotFound) return 404;
  return error instanceof Conflict ? 409 : statuses[kindOf(error)];
}
