import { type BulkWriteResult, MongoBulkWriteError, MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { Denied, Rejected, Unavailable } from '../../../../src/base/errors.ts';
import { translated } from '../../../../src/store/mongodb/errors.ts';

const place = 'mongodb://db.example.edu/rosterd';
/** A bulk that nothing is known of. */
const nothing = { getWriteErrors: () => [], getWriteConcernError: () => undefined } as unknown as BulkWriteResult;

describe('what the driver throws for a bulk that ended as a whole', () => {
  test('a lost connection is tried again', () => {
    const error = new MongoBulkWriteError(new MongoNetworkError('read ECONNRESET') as never, nothing);
    expect(translated(error, place)).toBeInstanceOf(Unavailable);
  });

  test('a missing right is not', () => {
    const inside = new MongoServerError({ code: 13, message: 'not authorized on rosterd' });
    expect(translated(new MongoBulkWriteError(inside as never, nothing), place)).toBeInstanceOf(Denied);
  });
});

test('a value that is taken is told without the value', () => {
  const message =
    'E11000 duplicate key error collection: r.accounts index: email_1 dup key: { email: "ada@example.edu" }';
  const told = translated(new MongoServerError({ code: 11000, message }), place) as Error;
  expect(told).toBeInstanceOf(Rejected);
  expect(told.message).toContain('email_1');
  expect(told.message).not.toContain('ada@');
});
