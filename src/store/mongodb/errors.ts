import {
  MongoBulkWriteError,
  type MongoError,
  MongoNetworkError,
  MongoParseError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';
import { Denied, Misconfigured, Rejected, RosterdError, Unavailable } from '../../base/errors.ts';

/** What the driver throws, in the words of the house: by what happens next. */

/** Codes of a server that cannot take a write now and will, or another one will: MongoDB's "retryable" errors. */
const later = new Set([
  6, 7, 63, 64, 89, 91, 133, 150, 189, 234, 262, 317, 358, 9001, 10107, 11600, 11602, 13388, 13435, 13436,
]);
/** Codes of credentials and rights: Unauthorized, AuthenticationFailed, the same of Atlas, and of SCRAM mechanisms. */
const rights = new Set([13, 18, 8000, 31]);
const duplicateKey = 11000;
/** BSONObjectTooLarge, and DocumentTooLarge as updates report it. */
const tooLarge = new Set([10334, 17419, 17420]);
const diskFull = 14031;

/** True for a server that could not be reached, or went away before it had answered. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  return error instanceof Error && gone.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Translates what the driver threw; what is none of its kinds is given back as it is. `place` never has a password. */
export function translated(thrown: unknown, place: string): unknown {
  const error = ofBulk(thrown);
  if (error instanceof RosterdError) return error;
  if (!isMongoError(error)) return withoutDriver(error, place);
  const message = wordsOf(error);
  const more = { cause: error };
  const codes = codesOf(error);
  if (
    codes.some((code) => rights.has(code)) ||
    /authentication failed|not authorized|requires authentication/i.test(message)
  )
    return new Denied(`the MongoDB at ${place} refuses: ${message}`, {
      ...more,
      remedy: 'check user, password and authSource of store, and the role of that user',
    });
  if (codes.includes(diskFull) || /no space left|out of disk/i.test(message))
    return new Unavailable(`the MongoDB at ${place} has no room left: ${message}`, {
      ...more,
      remedy: 'give its data volume more room, or lower retention',
    });
  if (codes.some((code) => tooLarge.has(code)) || error.name === 'MongoInvalidArgumentError')
    return documentTooLarge(message, place, error);
  if (isTrust(message))
    return new Denied(`the MongoDB at ${place} is not trusted: ${message}`, {
      ...more,
      remedy: 'check store.tls, and that the certificate carries the name in the URI',
    });
  if (error instanceof MongoServerSelectionError)
    return new Unavailable(`no MongoDB answers at ${place}: ${message}`, {
      ...more,
      remedy: 'check that it runs, that its port is open from here, and store.uri',
    });
  if (
    error instanceof MongoNetworkError ||
    isUnanswered(error) ||
    codes.some((code) => later.has(code)) ||
    error.hasErrorLabel('RetryableWriteError')
  )
    return new Unavailable(`the MongoDB at ${place} did not finish: ${message}`, more);
  if (codes.includes(duplicateKey))
    return new Rejected(`the MongoDB at ${place} has such a document already: ${message}`, {
      ...more,
      remedy: 'look who else writes into this database; the next run goes on from what is written down',
    });
  if (error instanceof MongoParseError)
    return new Misconfigured(`store.uri is no connection string: ${message}`, {
      ...more,
      remedy: 'write mongodb://HOST:PORT or mongodb+srv://HOST',
    });
  return error;
}

/** Codes of connections that end between two commands; the driver passes some of them on as they are. */
const gone = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Errors of Node itself: a connection that was reset, and a document so large that it did not fit into a message. */
function withoutDriver(error: unknown, place: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined) return error;
  if (gone.has(code))
    return new Unavailable(`the MongoDB at ${place} did not finish: ${(error as Error).message}`, { cause: error });
  return code === 'ERR_OUT_OF_RANGE' ? documentTooLarge((error as Error).message, place, error) : error;
}

function documentTooLarge(message: string, place: string, cause: unknown): Misconfigured {
  return new Misconfigured(`the MongoDB at ${place} does not take a document: ${message}`, {
    cause,
    remedy: 'a document holds 16 MB; look for a row or a list of courses of unusual size',
  });
}

/** True when nothing was wrong but that some documents were there already, by their ids. */
export function onlyThereAlready(error: unknown): boolean {
  return (
    error instanceof MongoBulkWriteError &&
    !isUnanswered(error) &&
    error.result.getWriteErrorCount() > 0 &&
    allDuplicates(error)
  );
}

function allDuplicates(error: MongoBulkWriteError): boolean {
  if (error.result.getWriteConcernError()) return false;
  return error.result.getWriteErrors().every((one) => one.code === duplicateKey && aboutId(one.errmsg));
}

/** Positions in a bulk of the documents that were there already, by their ids. */
export function alreadyThere(error: MongoBulkWriteError): number[] {
  return error.result.getWriteErrors().map((one) => one.index);
}

/** True when a write was refused because a document of that id is there, which the filter did not match. */
export function isTaken(error: unknown): boolean {
  if (error instanceof MongoBulkWriteError)
    return error.result.getWriteErrors().some((one) => one.code === duplicateKey && aboutId(one.errmsg));
  return error instanceof MongoServerError && error.code === duplicateKey && aboutId(error.message);
}

/** The index of `_id` is named `_id_` by every server; another unique index has the names of its fields. */
function aboutId(message: string | undefined): boolean {
  return /index: \S*_id_(\s|$)/.test(message ?? '');
}

/**
 * A bulk that broke on the way. The driver hides a lost connection, or a server that it did not find, in an error of the
 * bulk; what a server says always has a number.
 */
function isUnanswered(error: unknown): boolean {
  return error instanceof MongoBulkWriteError && typeof error.code !== 'number';
}

function isMongoError(error: unknown): error is MongoError {
  return error instanceof Error && 'hasErrorLabel' in error;
}

function isTrust(message: string): boolean {
  return /self[- ]signed|certificate|unable to verify|altnames|CERT_|wrong version number|SSL routines/i.test(message);
}

/** What ended a bulk as a whole, a lost connection for one, is inside of what the driver throws, and only there. */
function ofBulk(error: unknown): unknown {
  if (!(error instanceof MongoBulkWriteError)) return error;
  const inside: unknown = error.errorResponse;
  return inside instanceof Error ? inside : error;
}

function codesOf(error: MongoError): number[] {
  const codes: unknown[] = [error.code];
  if (error instanceof MongoBulkWriteError) {
    for (const one of error.result.getWriteErrors()) codes.push(one.code);
    codes.push(error.result.getWriteConcernError()?.code);
  }
  if (error instanceof MongoServerSelectionError)
    for (const { error: inner } of error.reason?.servers.values() ?? []) codes.push((inner as MongoError | null)?.code);
  return codes.filter((code): code is number => typeof code === 'number');
}

/** The server's own words; of a failed selection those of the servers, which say why. */
function wordsOf(error: MongoError): string {
  const inner =
    error instanceof MongoServerSelectionError
      ? [...(error.reason?.servers.values() ?? [])].map((server) => server.error?.message).filter((text) => text)
      : [];
  const text = [...new Set(inner)].join('; ') || error.message;
  // Servers quote the values of a person, which are no business of a log.
  return withoutPassword(text.replace(/ dup key: [\s\S]*/, ''));
}

/** A text without the credentials of any connection string in it; drivers quote them now and then. */
export function withoutPassword(text: string): string {
  return text.replace(/(mongodb(?:\+srv)?:\/\/)[^@/\s]*@/g, '$1');
}
