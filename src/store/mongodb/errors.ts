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

/** Translates what the driver threw; what is none of its kinds is given back as it is. `place` never has a password. */
export function translated(thrown: unknown, place: string): unknown {
  const error = ofBulk(thrown);
  if (error instanceof RosterdError || !isMongoError(error)) return error;
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
    return new Misconfigured(`the MongoDB at ${place} does not take a document: ${message}`, {
      ...more,
      remedy: 'a document holds 16 MB; look for a row or a list of courses of unusual size',
    });
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

/** True when nothing was wrong but that some documents were there already, by their ids. */
export function onlyThereAlready(error: unknown): boolean {
  return error instanceof MongoBulkWriteError && error.result.getWriteErrorCount() > 0 && allDuplicates(error);
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
  return isMongoError(inside) ? inside : error;
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
  // Drivers quote the connection string now and then.
  // and servers the values of a person
  const unnamed = text.replace(/ dup key: [\s\S]*/, '');
  return unnamed.replace(/(mongodb(?:\+srv)?:\/\/)[^@/\s]*@/g, '$1');
}
