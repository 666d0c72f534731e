import { type BulkWriteResult, MongoBulkWriteError, MongoNetworkError } from 'mongodb';
import { expect, test } from 'vitest';
import { Unavailable } from '../../../src/base/errors.ts';
import { translated } from '../../../src/store/mongodb/errors.ts';

test('a connection that ends under a bulk is a server that is away, also without a label that says so', () => {
  const lost = new MongoNetworkError('Connection interrupted due to server monitor timeout');
  const result = { getWriteErrors: () => [], getWriteConcernError: () => undefined } as unknown as BulkWriteResult;
  const error = translated(new MongoBulkWriteError(lost, result), 'mongodb://db/rosterd');
  expect(error).toBeInstanceOf(Unavailable);
  expect((error as Error).cause).toBe(lost);
});
