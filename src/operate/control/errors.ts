import { kindOf, Misconfigured, RosterdError } from '../../base/errors.ts';

/** Asked for what is not there. */
export class NotFound extends Misconfigured {}

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
