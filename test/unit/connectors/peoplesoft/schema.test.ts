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

test.each([
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
