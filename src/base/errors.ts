import { scrub, scrubStranger } from './redact.ts';

/**
 * Errors, named by what happens next. Whoever throws one says which of five things a caller must do; nobody reads
 * message texts to find out. Retry is decided once, in `retry.ts`, from `Unavailable` alone.
 */

/** Where a person has to look: a file with line and column (both from 1), each only when it is known. */
export interface Where {
  file?: string;
  line?: number;
  column?: number;
}

/** `file:line:column`, as editors understand it; empty when nothing is known. */
export function at(where: Where | undefined): string {
  if (!where?.file) return '';
  return [where.file, where.line, where.line === undefined ? undefined : where.column]
    .filter((part) => part !== undefined)
    .join(':');
}

/** What every rosterd error carries: a message that a person can act on, a remedy where one is known, and a place. */
export abstract class RosterdError extends Error {
  abstract readonly kind: 'Misconfigured' | 'Denied' | 'Unavailable' | 'Incomplete' | 'Rejected';
  readonly remedy: string | undefined;
  readonly where: Where | undefined;
  constructor(message: string, more: { remedy?: string; where?: Where; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = new.target.name;
    this.remedy = more.remedy;
    this.where = more.where;
  }
  /** One line for a log or a terminal: place, message, remedy. */
  line(): string {
    const place = at(this.where);
    return `${place ? `${place}: ` : ''}${this.message}${this.remedy ? `; ${this.remedy}` : ''}`;
  }
}

/** A person must edit something: the configuration, a file name, an option. Never retried. */
export class Misconfigured extends RosterdError {
  readonly kind = 'Misconfigured';
}

/** Credentials or trust were refused; a person must act. Never retried: a locked account is the worse error. */
export class Denied extends RosterdError {
  readonly kind = 'Denied';
}

/** Not now; try again later, after `delayMs` when the other side said so. The only error that is retried. */
export class Unavailable extends RosterdError {
  readonly kind = 'Unavailable';
  readonly delayMs: number | undefined;
  constructor(message: string, more: { delayMs?: number; remedy?: string; where?: Where; cause?: unknown } = {}) {
    super(message, more);
    this.delayMs = more.delayMs;
  }
}

/** The answer cannot be the whole truth: no snapshot is made and the last good one stands. */
export class Incomplete extends RosterdError {
  readonly kind = 'Incomplete';
}

/** This record or item is refused for good; the rest goes on. */
export class Rejected extends RosterdError {
  readonly kind = 'Rejected';
}

/** The kind of anything thrown; what is none of ours is a bug. */
export function kindOf(error: unknown): RosterdError['kind'] | 'Unexpected' {
  return error instanceof RosterdError ? error.kind : 'Unexpected';
}

/** How long the other side asked to be left alone, for whoever tries again later; nothing where it did not say. */
export function delayOf(error: unknown): { delayMs?: number } {
  return error instanceof Unavailable && error.delayMs !== undefined ? { delayMs: error.delayMs } : {};
}

/**
 * The text of anything thrown, for a person, a log or a run: without secrets and e-mail addresses, and of what is none of
 * ours also without whatever it quotes.
 */
export function messageOf(error: unknown): string {
  if (error instanceof RosterdError) return scrub(error.line());
  return scrubStranger(error instanceof Error ? error.message : String(error));
}

/** Kind and text of anything thrown, as runs, deliveries and the log have them. */
export function failureOf(error: unknown): { kind: RosterdError['kind'] | 'Unexpected'; message: string } {
  return { kind: kindOf(error), message: messageOf(error) };
}

/** True when the next attempt may go well without anybody's doing. */
export function mayPass(kind: string): boolean {
  return kind === 'Unavailable' || kind === 'Incomplete';
}
