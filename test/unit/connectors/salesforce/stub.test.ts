import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { salesforceStub } from '../../../../connectors/salesforce/stub.ts';
import { type Stub, startStub } from '../../../../src/connector/stub.ts';

let stub: Stub;
beforeEach(async () => {
  stub = await startStub(salesforceStub);
});
afterEach(() => stub.close());

const contacts = () => (stub.state() as { contacts: object[] }).contacts;

describe("the stub keeps Salesforce's rules", () => {
  const call = async (method: string, path: string, body?: unknown, version = 'v62.0') => {
    const login = await fetch(`${stub.url}/services/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('id:secret').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token } = (await login.json()) as { access_token: string };
    const answer = await fetch(`${stub.url}/services/data/${version}/${path}`, {
      method,
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, json: (isJson ? JSON.parse(text) : null) as never };
  };
  const contact = (account: string | undefined, more: object = {}) => ({
    attributes: { type: 'Contact' },
    ...(account === undefined ? {} : { Rosterd_Account__c: account }),
    LastName: 'Ng',
    ...more,
  });
  const upsert = (records: object[], allOrNone = false) =>
    call('PATCH', 'composite/sobjects/Contact/Rosterd_Account__c', { allOrNone, records });
  const upsertBy = async (field: string, records: object[], object = 'Contact') =>
    (await call('PATCH', `composite/sobjects/${object}/${field}`, { records })).json;

  test('every row of a doubled external id is refused, and a key matches without case', async () => {
    const { status, json } = await upsert([contact('u-1'), contact('U-1'), contact('u-2'), contact(undefined)]);
    expect(status).toBe(200);
    expect(json).toMatchObject([
      { success: false, errors: [{ statusCode: 'DUPLICATE_VALUE', message: 'Duplicate external id specified: u-1' }] },
      { success: false, errors: [{ statusCode: 'DUPLICATE_VALUE', message: 'Duplicate external id specified: U-1' }] },
      { success: true, created: true },
      { success: false, errors: [{ statusCode: 'MISSING_ARGUMENT' }] },
    ]);
    expect((await upsert([contact('U-2')])).json).toMatchObject([{ success: true, created: false }]);
    expect(contacts()).toHaveLength(1);
  });

  test('allOrNone writes nothing and says created all the same', async () => {
    const { json } = await upsert([contact('u-1'), contact('u-2', { Nope__c: 1 })], true);
    expect(json).toMatchObject([
      { success: false, created: true, errors: [{ statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK' }] },
      {
        success: false,
        created: true,
        errors: [{ statusCode: 'INVALID_FIELD', message: "No such column 'Nope__c' on sobject of type Contact" }],
      },
    ]);
    expect(contacts()).toEqual([]);
  });

  test.each([
    ['more than 200 records', { records: Array.from({ length: 201 }, (_, i) => contact(`u-${i}`)) }, 400],
    ['another type', { records: [{ ...contact('u-1'), attributes: { type: 'Account' } }] }, 400],
    ['a body that is no JSON', '{"records":', 400],
    ['a number for a text', { records: [contact('u-0'), contact('u-1', { LastName: 5 })] }, 400],
  ])('%s refuse the whole request', async (_what, body, status) => {
    const answer = await call('PATCH', 'composite/sobjects/Contact/Rosterd_Account__c', body);
    expect(answer).toMatchObject({ status, json: [{ errorCode: expect.any(String) }] });
    expect(contacts()).toEqual([]);
  });

  test('one record can be written, read and updated by external id', async () => {
    const path = 'sobjects/Contact/Rosterd_Account__c/u-1';
    expect(await call('GET', path)).toMatchObject({ status: 404, json: [{ errorCode: 'NOT_FOUND' }] });
    expect(await call('PATCH', `${path}?updateOnly=true`, { LastName: 'Ng' })).toMatchObject({ status: 404 });
    expect(await call('PATCH', path, { FirstName: 'Li' })).toMatchObject({
      status: 400,
      json: [{ errorCode: 'REQUIRED_FIELD_MISSING', fields: ['LastName'] }],
    });
    expect(await call('PATCH', path, { LastName: 'Ng' })).toMatchObject({ status: 201, json: { created: true } });
    expect(await call('PATCH', path, { LastName: 'Wu' })).toMatchObject({ status: 200, json: { created: false } });
    expect(await call('GET', path)).toMatchObject({ status: 200, json: { LastName: 'Wu' } });
  });

  test('of an update, old versions say nothing and new ones say so', async () => {
    const path = 'sobjects/Contact/Rosterd_Account__c/u-1';
    const old = (body: object) => call('PATCH', path, body, 'v45.0');
    expect(await old({ LastName: 'Ng' })).toMatchObject({ status: 201 });
    expect(await old({ LastName: 'Wu' })).toEqual({ status: 204, json: null });
    expect(await call('PATCH', path, { LastName: 'Wu' })).toMatchObject({ status: 200, json: { created: false } });
  });

  test('several records of one value are named, and none is written', async () => {
    for (const n of [1, 2])
      expect(await call('POST', 'sobjects/Contact', { LastName: `Ng ${n}`, Legacy_Id__c: 'L' })).toMatchObject({
        status: 201,
      });
    expect(await call('PATCH', 'sobjects/Contact/Legacy_Id__c/l', { LastName: 'X' })).toEqual({
      ...{
        status: 300,
        json: Array(2).fill(expect.stringMatching(/^\/services\/data\/v62.0\/sobjects\/Contact\/003/)),
      },
    });
    expect(await upsertBy('Legacy_Id__c', [{ ...contact(undefined), Legacy_Id__c: 'L' }])).toMatchObject([
      { success: false, errors: [{ statusCode: 'DUPLICATE_EXTERNAL_ID' }] },
    ]);
  });

  test.each([
    ['an unknown parent', { Account: { Rosterd_Key__c: 'nobody' } }, 'INVALID_FIELD'],
    ['a parent by a field that is no external id', { Account: { Name: 'x' } }, 'INVALID_FIELD'],
    ['an id of nobody', { AccountId: '001000000000000AAA' }, 'INVALID_CROSS_REFERENCE_KEY'],
    ['what is no id', { AccountId: 'x' }, 'MALFORMED_ID'],
    [
      'a value that a restricted picklist has not',
      { Rosterd_Phase__c: 'Ghost' },
      'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
    ],
    [
      'a selector of a blank e-mail field',
      { hed__Preferred_Email__c: 'Work Email' },
      'FIELD_CUSTOM_VALIDATION_EXCEPTION',
    ],
    ['a text that is too long', { FirstName: 'x'.repeat(41) }, 'STRING_TOO_LONG'],
    ['an id of its own', { Id: '003000000000000AAA' }, 'INVALID_FIELD'],
  ])('%s is refused', async (_what, more, statusCode) => {
    expect((await upsert([contact('u-1', more)])).json).toMatchObject([{ success: false, errors: [{ statusCode }] }]);
    expect(contacts()).toEqual([]);
  });

  test('a unique field is unique, also when the record is matched by another', async () => {
    await upsert([contact('u-1')]);
    const twin = { ...contact('U-1'), Legacy_Id__c: 'L' };
    expect(await upsertBy('Legacy_Id__c', [twin])).toMatchObject([
      {
        errors: [
          {
            statusCode: 'DUPLICATE_VALUE',
            message: expect.stringMatching(
              /^duplicate value found: Rosterd_Account__c duplicates value on record with id: 003/,
            ),
          },
        ],
      },
    ]);
  });

  test('a duplicate rule warns, in the spelling of Salesforce, and a header overrules it', async () => {
    await fetch(`${stub.url}/_stub/rules`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"duplicates":true}' },
    });
    await upsert([contact('u-1', { Email: 'a@example.edu' })]);
    const { json } = await upsert([contact('u-2', { Email: 'a@example.edu' })]);
    expect(json).toMatchObject([
      { success: false, errors: [{ statusCode: 'DUPLICATES_DETECTED', duplicateResut: expect.anything() }] },
    ]);
  });

  test('a master is needed in a new record, and refused in one that is there, the same one as well', async () => {
    const term = (more: object) =>
      upsertBy(
        'Rosterd_Key__c',
        [{ attributes: { type: 'hed__Term__c' }, Rosterd_Key__c: 't', ...more }],
        'hed__Term__c',
      );
    await upsertBy('Rosterd_Key__c', [{ attributes: { type: 'Account' }, Rosterd_Key__c: 'a', Name: 'A' }], 'Account');
    const master = { hed__Account__r: { Rosterd_Key__c: 'a' } };
    expect(await term({})).toMatchObject([{ errors: [{ statusCode: 'REQUIRED_FIELD_MISSING' }] }]);
    expect(await term(master)).toMatchObject([{ success: true, created: true }]);
    expect(await term(master)).toMatchObject([{ errors: [{ statusCode: 'INVALID_FIELD_FOR_INSERT_UPDATE' }] }]);
    expect(await term({ Name: 'T' })).toMatchObject([{ success: true, created: false }]);
  });

  test('sets of results are only there when a job is over, and jobs go only where they can', async () => {
    const { json } = await call('POST', 'jobs/ingest', {
      ...{ object: 'Contact', operation: 'upsert', externalIdFieldName: 'Rosterd_Account__c' },
    });
    const job = `jobs/ingest/${(json as { id: string }).id}`;
    const refused = { status: 400, json: [{ errorCode: 'INVALIDJOBSTATE' }] };
    expect(await call('GET', `${job}/successfulResults`)).toMatchObject(refused);
    expect(await call('PATCH', job, { state: 'UploadComplete' })).toMatchObject(refused);
    expect(await call('PATCH', job, { state: 'Aborted' })).toMatchObject({ status: 200, json: { state: 'Aborted' } });
    expect(await call('PATCH', job, { state: 'Aborted' })).toMatchObject(refused);
    // one client writes it like this, another like that
    for (const name of ['unprocessedrecords', 'unprocessedRecords'])
      expect((await call('GET', `${job}/${name}`)).status).toBe(200);
    expect(await call('DELETE', job)).toMatchObject({ status: 204 });
    expect(await call('GET', job)).toMatchObject({ status: 404 });
    expect(await call('POST', 'jobs/ingest', { object: 'Contact', operation: 'delete' })).toMatchObject({
      status: 400,
    });
  });

  test('every answer tells the use of the day', async () => {
    const answer = await fetch(`${stub.url}/services/data/v62.0/query?q=x`);
    expect([answer.status, answer.headers.get('sforce-limit-info')]).toEqual([401, 'api-usage=1/15000']);
  });

  test('a login needs the client credentials grant and both halves of the pair', async () => {
    const login = async (form: Record<string, string>) => {
      const answer = await fetch(`${stub.url}/services/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams(form),
      });
      return { status: answer.status, ...((await answer.json()) as object) };
    };
    const grant = { grant_type: 'client_credentials' };
    expect(await login({})).toMatchObject({ status: 400, error: 'unsupported_grant_type' });
    expect(await login(grant)).toMatchObject({ status: 400, error: 'invalid_client_id' });
    expect(await login({ ...grant, client_id: 'a' })).toMatchObject({ status: 400, error: 'invalid_client' });
    expect(await login({ ...grant, client_id: 'a', client_secret: 'b' })).toMatchObject({ instance_url: stub.url });
  });
});
