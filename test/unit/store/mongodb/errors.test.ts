import {
  type BulkWriteResult,
  MongoBulkWriteError,
  MongoNetworkError,
  MongoParseError,
  MongoServerError,
} from 'mongodb';
import { describe, expect, it } from 'vitest';
import { kindOf, messageOf, Unavailable } from '../../../../src/base/errors.ts';
import { placeOf } from '../../../../src/store/mongodb/connect.ts';
import { isTaken, translated, withoutPassword } from '../../../../src/store/mongodb/errors.ts';

const place = 'mongodb://db.example.edu/rosterd';
const server = (code: number, message: string): MongoServerError =>
  new MongoServerError({ code, errmsg: message, message });

describe('an error of the driver', () => {
  it.each([
    ['not primary', server(10107, 'not primary'), 'Unavailable'],
    ['interrupted by a step-down', server(11602, 'operation was interrupted'), 'Unavailable'],
    ['a connection that broke', new MongoNetworkError('connection 7 closed'), 'Unavailable'],
    ['one that Node reports', Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET' }), 'Unavailable'],
    ['a write concern that was not reached', server(64, 'waiting for replication timed out'), 'Unavailable'],
    ['a full disk', server(14031, 'out of disk space'), 'Unavailable'],
    ['a wrong password', server(18, 'Authentication failed.'), 'Denied'],
    ['no right', server(13, 'not authorized on rosterd to execute command'), 'Denied'],
    ['a document that is too large', server(10334, 'BSONObj size is invalid'), 'Misconfigured'],
    ['one beyond any message', Object.assign(new RangeError('x'), { code: 'ERR_OUT_OF_RANGE' }), 'Misconfigured'],
    ['no connection string', new MongoParseError('Invalid scheme'), 'Misconfigured'],
  ])('of %s becomes one of the house that names the place', (_name, error, kind) => {
    const known = translated(error, place);
    expect(kindOf(known)).toBe(kind);
    expect((known as Error).cause).toBe(error);
    if (!(error instanceof MongoParseError)) expect(messageOf(known)).toContain(place);
  });

  it('is left as it is when it says nothing of the server', () => {
    for (const error of [new TypeError('x'), new Unavailable('y'), 'z']) expect(translated(error, place)).toBe(error);
  });

  it('of a value that is taken is told without the value', () => {
    const text =
      'E11000 duplicate key error collection: r.accounts index: email_1 dup key: { email: "ada@example.edu" }';
    const told = translated(server(11000, text), place);
    expect(kindOf(told)).toBe('Rejected');
    expect(messageOf(told)).toContain('email_1');
    expect(messageOf(told)).not.toContain('ada@');
  });

  it('that ended a bulk as a whole is inside of what the driver throws', () => {
    const nothing = { getWriteErrors: () => [], getWriteConcernError: () => undefined } as unknown as BulkWriteResult;
    const bulk = (inside: Error): MongoBulkWriteError => new MongoBulkWriteError(inside as never, nothing);
    expect(kindOf(translated(bulk(new MongoNetworkError('read ECONNRESET')), place))).toBe('Unavailable');
    expect(kindOf(translated(bulk(server(13, 'not authorized on rosterd')), place))).toBe('Denied');
  });

  it('says whether a document of that id was there, or another one with the same address', () => {
    const taken = (index: string): MongoServerError =>
      server(11000, `E11000 duplicate key error collection: rosterd.accounts index: ${index} dup key: { : 1 }`);
    expect(isTaken(taken('_id_'))).toBe(true);
    expect(isTaken(taken('email_1'))).toBe(false);
    expect(isTaken(taken('id_1'))).toBe(false);
  });
});

describe('a password', () => {
  it.each([
    ['mongodb://u:hunter2@a:1,b:2/x?replicaSet=r', 'mongodb://a:1,b:2/rosterd'],
    ['mongodb+srv://u:hunter2@cluster.example.net', 'mongodb://cluster.example.net/rosterd'],
    ['mongodb://[::1]:27017', 'mongodb://[::1]:27017/rosterd'],
  ])('of %s is not in the place', (uri, expected) => {
    expect(placeOf(uri, 'rosterd')).toBe(expected);
  });

  it('is taken out of what drivers quote', () => {
    expect(withoutPassword('cannot parse "mongodb://u:hunter2@h/x" twice mongodb+srv://u:p@i')).toBe(
      'cannot parse "mongodb://h/x" twice mongodb+srv://i',
    );
    const error = translated(new MongoNetworkError('failed: mongodb://u:hunter2@h/x'), place);
    expect(messageOf(error)).not.toContain('hunter2');
  });
});
