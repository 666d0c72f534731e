import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import jsforce from 'jsforce';
import { beforeEach, describe, expect, test } from 'vitest';
import { assertion } from '../../connectors/salesforce/login.ts';
import { systemClock } from '../../src/base/clock.ts';
import { temporaryFolder } from '../support/drop.ts';
import { type Site, salesforceSite } from '../support/salesforce.ts';

/** A foreign client, written against real orgs, gets along with the stub: that keeps the stub honest. */

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
let at: Site;
beforeEach(async () => {
  at = await salesforceSite(systemClock);
});

const loggedIn = async (more: object = {}): Promise<InstanceType<typeof jsforce.Connection>> => {
  const oauth2 = { loginUrl: at.stub.url, clientId: 'jsforce', clientSecret: 'secret' };
  const connection = new jsforce.Connection({ oauth2, version: '62.0', ...more });
  await connection.authorize({ grant_type: 'client_credentials' });
  return connection;
};
const contact = (n: number, more: object = {}) => ({ Rosterd_Account__c: `95${n}`, LastName: `Ng ${n}`, ...more });
const key = 'Rosterd_Account__c';

describe('jsforce', () => {
  test('logs in by client credentials, and knows whose session it is', async () => {
    const connection = await loggedIn();
    expect(connection.instanceUrl).toBe(at.stub.url);
    expect(connection.userInfo?.id).toBe('005000000000001AAA');
  });

  test('logs in by JWT bearer once with one assertion', async () => {
    const file = join(temporaryFolder(), 'key.pem');
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const spki = publicKey.export({ type: 'spki', format: 'pem' });
    await at.post('apps', { clientId: 'rosterd', publicKey: spki, users: ['sync@example.edu'] });
    const chosen = at.settings({ jwt: { user: 'sync@example.edu', key: { file } } });
    const grant = {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: assertion(chosen, new Date()),
    };
    const connection = new jsforce.Connection({ loginUrl: at.stub.url, version: '62.0' });
    await connection.authorize(grant);
    expect(await connection.sobject('Contact').find({ LastName: 'Nobody' })).toEqual([]);
    await expect(connection.authorize(grant)).rejects.toMatchObject({ name: 'invalid_grant' });
  });

  test('describes objects, also those of EDA', async () => {
    const connection = await loggedIn();
    const { fields } = await connection.describe('hed__Course_Offering__c');
    expect(fields.find(({ name }) => name === 'hed__Term__c')).toMatchObject({
      ...{ type: 'reference', nillable: false, updateable: false, referenceTo: ['hed__Term__c'] },
      relationshipName: 'hed__Term__r',
    });
    await expect(connection.describe('Nope__c')).rejects.toMatchObject({ errorCode: 'NOT_FOUND' });
  });

  test('upserts collections with mixed results, more than 200, and one record', async () => {
    const connection = await loggedIn();
    const contacts = connection.sobject('Contact');
    const mixed = await contacts.upsert([contact(1), contact(2, { Nope__c: 'x' })], key);
    expect(mixed).toMatchObject([
      { success: true, created: true, id: expect.stringMatching(/^003\w{15}$/) },
      { success: false, errors: [{ statusCode: 'INVALID_FIELD' }] },
    ]);
    const all = Array.from({ length: 250 }, (_, n) => contact(n));
    await expect(contacts.upsert(all, key)).rejects.toMatchObject({ errorCode: 'EXCEEDED_MAX_SIZE_REQUEST' });
    const many = await contacts.upsert(all, key, { allowRecursive: true });
    expect(many.filter(({ success }) => success)).toHaveLength(250);
    expect(await contacts.upsert(contact(1, { LastName: 'Wu', FirstName: 'Li' }), key)).toMatchObject({
      success: true,
      created: false,
    });
    expect(await contacts.find({ Rosterd_Account__c: '951' }, 'Id, LastName')).toMatchObject([{ LastName: 'Wu' }]);
    expect(await contacts.upsert([contact(1), contact(900), contact(1)], key, { allOrNone: true })).toMatchObject([
      { success: false, errors: [{ statusCode: 'DUPLICATE_VALUE' }] },
      { success: false, created: true, errors: [{ statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK' }] },
      { success: false, errors: [{ statusCode: 'DUPLICATE_VALUE' }] },
    ]);
  });

  test('meets several records of one key as 300', async () => {
    const connection = await loggedIn();
    const contacts = connection.sobject('Contact');
    for (const n of [1, 2]) await contacts.create(contact(n, { Legacy_Id__c: 'L-1' }));
    await expect(contacts.upsert({ Legacy_Id__c: 'l-1', LastName: 'X' }, 'Legacy_Id__c')).rejects.toMatchObject({
      errorCode: 'MULTIPLE_CHOICES',
    });
    expect(await contacts.upsert([{ Legacy_Id__c: 'l-1', LastName: 'X' }], 'Legacy_Id__c')).toMatchObject([
      { success: false, errors: [{ statusCode: 'DUPLICATE_EXTERNAL_ID' }] },
    ]);
  });

  test('runs a Bulk API 2.0 job and reads the three sets of results', async () => {
    const connection = await loggedIn();
    await connection.sobject('Contact').upsert([contact(1)], key);
    const job = connection.bulk2.createJob({ operation: 'upsert', object: 'Contact', externalIdFieldName: key });
    await job.open();
    await job.uploadData([
      contact(1, { LastName: 'Wu', FirstName: 'Li' }),
      contact(2),
      contact(3, { FirstName: 'x'.repeat(41) }),
    ]);
    await job.close();
    await job.poll(1, 10_000);
    expect(await job.check()).toMatchObject({
      state: 'JobComplete',
      numberRecordsProcessed: 3,
      numberRecordsFailed: 1,
    });
    const { successfulResults, failedResults, unprocessedRecords } = await job.getAllResults();
    const made = Object.fromEntries(
      successfulResults.map((row) => [(row as unknown as Record<string, string>)[key], row.sf__Created]),
    );
    expect(made).toEqual({ 951: 'false', 952: 'true' });
    expect(failedResults).toMatchObject([
      { Rosterd_Account__c: '953', sf__Error: expect.stringMatching(/^STRING_TOO_LONG:/) },
    ]);
    expect(unprocessedRecords).toEqual([]);
    await job.delete();
    expect(at.seen().jobs).toEqual([]);
  });

  test('reads what a job that failed half-way left', async () => {
    await at.post('bulk', { polls: 1, fail: { after: 1, message: 'InternalServerError : later' } });
    const connection = await loggedIn();
    const job = connection.bulk2.createJob({ operation: 'upsert', object: 'Contact', externalIdFieldName: key });
    await job.open();
    await job.uploadData([contact(1), contact(2)]);
    await job.close();
    await expect(job.poll(1, 10_000)).rejects.toThrow('InternalServerError : later');
    const { successfulResults, unprocessedRecords } = await job.getAllResults();
    expect([successfulResults, unprocessedRecords]).toMatchObject([
      [{ Rosterd_Account__c: '951' }],
      [{ Rosterd_Account__c: '952' }],
    ]);
  });

  test('renews an ended session, and is told of the requests of the day', async () => {
    let renewed = 0;
    const connection = await loggedIn({
      refreshFn: (
        old: InstanceType<typeof jsforce.Connection>,
        done: (error: Error | null, token?: string) => void,
      ) => {
        renewed += 1;
        old.oauth2.requestToken({ grant_type: 'client_credentials' }).then(
          ({ access_token }) => done(null, access_token),
          (error: Error) => done(error),
        );
      },
    });
    await at.post('expire-tokens');
    await at.post('limits', { used: 40, limit: 100 });
    expect(await connection.query("SELECT Id FROM Contact WHERE LastName = 'O\\'Neil' LIMIT 5")).toMatchObject({
      ...{ totalSize: 0, done: true, records: [] },
    });
    expect(renewed).toBe(1);
    expect(connection.limitInfo.apiUsage).toEqual({ used: 41, limit: 100 });
    await at.post('limits', { used: 100, limit: 100 });
    await expect(connection.query('SELECT Id FROM Contact')).rejects.toMatchObject({
      errorCode: 'REQUEST_LIMIT_EXCEEDED',
    });
  });

  test('is told loudly of what the stub does not know', async () => {
    const connection = await loggedIn();
    await expect(connection.query('SELECT COUNT() FROM Contact')).rejects.toMatchObject({
      errorCode: 'MALFORMED_QUERY',
    });
    await expect(connection.request('/services/data/v62.0/limits')).rejects.toMatchObject({
      errorCode: 'NOT_IMPLEMENTED',
    });
  });
});
