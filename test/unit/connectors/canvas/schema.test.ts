import { describe, expect, test } from 'vitest';
import { canvasSettings } from '../../../../connectors/canvas/schema.ts';

const least = { url: 'https://example.instructure.com', token: { env: 'CANVAS_TOKEN' } };

test('two keys are enough; the rest has defaults', () => {
  expect(canvasSettings.parse(least)).toMatchObject({ account: 'self', mode: 'changes', batch: 5000 });
});

describe('an address that the token goes to', () => {
  test.each([
    ['over a network in the clear', 'http://canvas.example.edu'],
    ['that only begins like this machine', 'http://localhost.example.edu'],
    ['of another kind', 'ftp://example.instructure.com'],
  ])('%s is refused', (_what, url) => {
    const problems = canvasSettings.safeParse({ ...least, url }).error?.issues ?? [];
    expect(problems).toMatchObject([{ path: ['url'], message: expect.stringContaining('must begin with https://') }]);
  });

  test.each([
    'https://canvas.example.edu/lms/',
    'https://canvas.example.edu:8443',
    'http://127.0.0.1:3000',
    'http://localhost/',
  ])('%s is taken', (url) => {
    expect(canvasSettings.safeParse({ ...least, url }).success).toBe(true);
  });
});

test('nobody is taken over, and logins are e-mail addresses, unless the settings say otherwise', () => {
  expect(canvasSettings.parse(least)).toMatchObject({ takeOver: false, login: 'email' });
});

test.each([
  ['a login that is neither', { login: 'username' }],
  ['a token in plain text', { token: 'hunter2' }],
  ['the word of an older version', { role: 'student' }],
  ['a data set without the mode that has one', { full: {} }],
  ['what could delete a course', { mode: 'full', removedEnrolments: 'deleted' }],
  ['what takes away all enrolments', { mode: 'full', userStatusOnDisable: 'deleted' }],
  ['an unknown key', { acount: 1 }],
])('%s is refused', (_what, more) => {
  expect(canvasSettings.safeParse({ ...least, ...more }).success).toBe(false);
});
