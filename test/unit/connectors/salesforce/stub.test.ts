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
  const call = async (method: string, path: string, body?: unknown) => {
    const login = await fetch(`${stub.url}/services/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('id:secret').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token } = (await login.json()) as { access_token: string };
    const answer = await fetch(`${stub.url}/services/data/v62.0/${path}`, {
      method,
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: answer.status, json: (await answer.json()) as never };
  };
  const contact = (account: string | undefined, more: object = {}) => ({
    attributes: { type: 'Contact' },
    ...(account === undefined ? {} : { Rosterd_Account__c: account }),
    LastName: 'Ng',
    ...more,
  });
  const upsert = (records: object[], allOrNone = false) =>
    call('PATCH', 'composite/sobjects/Contact/Rosterd_Account__c', { allOrNone, records });

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
