import { MongoBulkWriteError, MongoNetworkError } from 'mongodb';
import { expect, test } from 'vitest';
import { Unavailable } from '../../../../src/base/errors.ts';
import { onlyThereAlready, translated } from '../../../../src/store/mongodb/errors.ts';

/** A bulk whose answer never came: the driver makes an error of the bulk of it, in which the lost connection is hidden. */

const place = 'mongodb://db.example.edu/rosterd';
const duplicate = { code: 11000, errmsg: 'E11000 duplicate key error collection: rosterd.rows index: _id_ dup key' };

function lost(writeErrors: readonly { code: number; errmsg: string }[]): MongoBulkWriteError {
  const result = {
    getWriteErrors: () => writeErrors,
    getWriteErrorCount: () => writeErrors.length,
    getWriteConcernError: () => undefined,
  };
  return new MongoBulkWriteError(new MongoNetworkError('read ECONNRESET') as never, result as never);
}

test('is repeated as any other lost answer is', () => {
  expect(translated(lost([]), place)).toBeInstanceOf(Unavailable);
  expect(translated(lost([duplicate]), place)).toBeInstanceOf(Unavailable);
});

test('is not taken for a bulk of which only some documents were there already', () => {
  expect(onlyThereAlready(lost([duplicate]))).toBe(false);
});
