import { expect, test } from 'vitest';
import { z } from 'zod';
import { peoplesoft } from '../../../../connectors/peoplesoft/connector.ts';
import { hiddenCredentials, pathOf, requestFor } from '../../../../connectors/peoplesoft/request.ts';
import { settings } from '../../../../connectors/peoplesoft/schema.ts';
import { valuesOf } from '../../../../connectors/peoplesoft/template.ts';
import type { DeliveryItem } from '../../../../src/connector/target.ts';

const least = { url: 'https://campus.example.edu', auth: { username: 'ROSTERD', password: { env: 'PS_PASSWORD' } } };
const leaver: DeliveryItem = {
  item: 'plan:1:campus',
  type: 'account.disable',
  account: {
    account: '9500000001',
    id: 's-1',
    email: 'ada@example.edu',
    firstName: 'Ada',
    lastName: 'Byron',
    kind: 'student',
    year: null,
    status: 'disabled',
    attributes: {},
  },
  course: null,
  changed: [],
  before: null,
  emailConfirmed: false,
};

/** The request for the leaver. */
function made(written: object) {
  const chosen = settings.parse(written);
  return requestFor(
    chosen.operations['account.disable'],
    valuesOf(leaver, chosen.node),
    chosen,
    hiddenCredentials(chosen),
  );
}

test('an address and a login are enough: there is an operation for every change that is accepted', () => {
  const chosen = settings.parse(least);
  expect(Object.keys(chosen.operations).sort()).toEqual([...peoplesoft.accepts(chosen)].sort());
  const request = made(least);
  expect(request).toMatchObject({
    method: 'POST',
    path: '/PSIGW/RESTListeningConnector/PSFT_CS/RSTR_PERSON.v1/9500000001',
  });
  expect(JSON.parse((request as { body: string }).body)).toEqual({
    ACTION: 'DISABLE',
    ACCOUNT: '9500000001',
    EMPLID: 's-1',
    EMAIL_ADDR: 'ada@example.edu',
    FIRST_NAME: 'Ada',
    LAST_NAME: 'Byron',
    PERSON_KIND: 'student',
    STUDY_YEAR: null,
    STATUS: 'disabled',
  });
});

test('an operation that is given replaces that one and leaves the others', () => {
  const own = { method: 'PUT', path: '/x/{account}' };
  const { operations } = settings.parse({ ...least, operations: { 'account.disable': own } });
  expect(made({ ...least, operations: { 'account.disable': own } })).toEqual({
    method: 'PUT',
    path: '/x/9500000001',
    headers: { authorization: '{secret}', accept: 'application/json' },
  });
  expect(pathOf(operations['account.create'], { gateway: '/PSIGW' })).toContain('RSTR_PERSON.v1');
});

test('a wrong placeholder is an error at its place, naming the nearest', () => {
  const operations = { 'enrolment.add': { path: '/x/{acount}', body: { A: ['{coursecode}'] } } };
  const { issues } = settings.safeParse({ ...least, operations }).error!;
  expect(issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['operations.enrolment.add.path', 'unknown placeholder {acount}; did you mean {account}?'],
    ['operations.enrolment.add.body.A.0', 'unknown placeholder {coursecode}; did you mean {courseCode}?'],
  ]);
});

test('an operation of a component interface has at most 30 characters, as PeopleTools generates it', () => {
  const use = (ci: string) => ({
    ...least,
    operations: { 'account.create': { shape: 'ci-rest', ci, action: 'UD_PUT' } },
  });
  expect(settings.safeParse(use('A'.repeat(18))).success).toBe(true);
  expect(settings.safeParse(use('A'.repeat(19))).error!.issues).toMatchObject([
    { path: ['operations', 'account.create', 'ci'], message: expect.stringContaining('has 31 characters') },
  ]);
});

test('a site may take some change types only', () => {
  const chosen = settings.parse({ ...least, changes: ['account.create', 'account.disable'] });
  expect(peoplesoft.accepts(chosen)).toEqual(['account.create', 'account.disable']);
});

const soap = { shape: 'ci-soap', ci: 'PERSON', action: 'CREATE', body: {} };

test('a value that XML cannot carry makes no request', () => {
  const operation = { ...soap, soapAction: 'C.v1', body: { NAME: '{lastName}' } };
  const chosen = settings.parse({ ...least, operations: { 'account.disable': operation } });
  const spoiled = { ...leaver, account: { ...leaver.account!, lastName: 'By\u0001ron' } };
  const values = valuesOf(spoiled, chosen.node);
  expect(requestFor(chosen.operations['account.disable'], values, chosen, hiddenCredentials(chosen))).toEqual({
    impossible: 'a value holds a character that XML cannot carry',
  });
});

test.each([
  ['a SOAP operation without SOAPAction', { operations: { 'account.create': soap } }],
  ['an iScript without its path', { operations: { 'account.create': { ...soap, via: 'iscript' } } }],
  [
    'an iScript with a token',
    { auth: { bearer: { env: 'X' } }, operations: { 'account.create': { ...soap, via: 'iscript', path: '/psc/x' } } },
  ],
  [
    'a property that is no element',
    { operations: { 'account.create': { ...soap, soapAction: 'C', body: { 'A B': 1 } } } },
  ],
  [
    'a read-back that writes',
    {
      operations: {
        'account.create': { path: '/x', confirm: { read: { method: 'PUT', path: '/x' }, at: '/a', is: 1 } },
      },
    },
  ],
  ['a day that is none', { today: { format: 'yyyy-MM' } }],
  ['a time zone that is none', { today: { timeZone: 'Mars/North' } }],
  ['a password in plain text', { auth: { username: 'ROSTERD', password: 'hunter2' } }],
  ['an OPRID that Basic cannot carry', { auth: { username: 'A:B', password: { env: 'X' } } }],
  ['no login', { auth: {} }],
  ['both logins', { auth: { ...least.auth, bearer: { env: 'X' } } }],
  ['plain http over a network', { url: 'http://campus.example.edu' }],
  ['a change type that PeopleSoft does not take', { operations: { 'course.create': { path: '/x' } } }],
  ['a relative path', { operations: { 'account.create': { path: 'x' } } }],
  ['a broken expression', { success: { text: '(' } }],
  ['an unknown key', { nodes: 'X' }],
])('%s is refused', (_what, more) => {
  expect(settings.safeParse({ ...least, ...more }).success).toBe(false);
});

test('the settings have a JSON schema with a description of every key', () => {
  const { properties } = z.toJSONSchema(settings, { io: 'input' });
  for (const [key, property] of Object.entries(properties!)) expect(property, key).toHaveProperty('description');
});

test.each([
  ['/enrolment', 'rest', false],
  ['/rows/*', 'rest', true],
  ['/data/enrolment', 'rest', true],
  ['/rows/*', 'ci-soap', false],
  ['/Body/rows/*', 'ci-soap', true],
])('what is absent at %s by %s is missing from something: %s', (at, shape, good) => {
  const read =
    shape === 'rest'
      ? { path: '/x/{account}' }
      : {
          shape,
          ci: 'RSTR_ENRL',
          action: 'Get',
          soapAction: 'CI_X.v1',
          namespace: 'urn:x',
          body: { ACCOUNT: '{account}' },
        };
  const confirm = { read, at, is: { STATUS: 'A' }, absent: true };
  const { error } = settings.safeParse({ ...least, operations: { 'enrolment.remove': { path: '/x', confirm } } });
  if (good) expect(error).toBeUndefined();
  else
    expect(error!.issues).toMatchObject([
      {
        path: ['operations', 'enrolment.remove', 'confirm', 'at'],
        message: expect.stringMatching(/^with absent, at has/),
      },
    ]);
});

test.each([302, 401, 403, 408, 429])('status %i is never success, whatever a site says', (status) => {
  const read = settings.safeParse({ ...least, success: { status: [200, status] } });
  expect(read.error?.issues).toMatchObject([
    { path: ['success', 'status', 1], message: expect.stringContaining('is never success') },
  ]);
});
