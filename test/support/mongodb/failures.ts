import type { MongoClient } from 'mongodb';

/** What a server can be made to answer instead of its own answer. */
export type Failure =
  /** The command fails as a whole: `{ ok: 0, code }`. Nothing is written. */
  | { errorCode: number; errorLabels?: string[] }
  /** It is done, but the write concern was not reached. */
  | { writeConcernError: { code: number; codeName: string; errmsg: string } }
  /** The server closes the connection before it does anything. */
  | { closeConnection: true }
  /** Documents are refused one by one; only mongo-java-server can be made to, and it writes nothing then. */
  | { writeErrors: { index: number; code: number; errmsg: string }[] };

/** Codes of MongoDB that an installation meets, by the name that it gives them. */
export const codes = {
  DuplicateKey: 11000,
  NotWritablePrimary: 10107,
  WriteConcernTimeout: 64,
  OutOfDiskSpace: 14031,
  /** The document that an update would make has more than 16 MiB. */
  DocumentTooLarge: 17419,
} as const;

/**
 * Makes the next `times` of these commands fail: the fail point `failCommand` of a real server, which needs a server that
 * we started.
 */
export async function failNext(
  client: MongoClient,
  failure: Failure,
  { commands = ['insert', 'update', 'delete', 'findAndModify'], times = 1 } = {},
): Promise<void> {
  await client.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: { times },
    data: { failCommands: commands, ...failure },
  });
}

/** Ends what `failNext` began. */
export async function failNoMore(client: MongoClient): Promise<void> {
  await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
}
