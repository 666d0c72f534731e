import { expect, test } from 'vitest';
import { isPassword, isSecret } from '../../../src/connector/passwords.ts';

test.each([
  ...['password', 'Password', 'PASSWORD', ' pass word ', 'Pass-Word', 'p.a.s.s_word', 'Password*', 'Ｐａｓｓｗｏｒｄ'],
  ...['passwd', 'Pwd', 'pw', 'Passwort', 'Kennwort', 'Passphrase', 'Passcode'],
  ...['Temporary password', 'initialPassword', 'Initial PW', 'user_pwd', 'Login Passwd'],
  ...['Password hash', 'passwordHash', 'password_sha256', 'Password (initial)', 'Password 2', 'confirmPassword'],
  // as directories have them
  ...['userPassword', 'userPassword;binary', 'unicodePwd', 'dBCSPwd', 'ms-Mcs-AdmPwd', 'sambaNTPassword', 'pwdHistory'],
  // ways into JSON
  ...['credentials.password', 'password.value', 'logins.0.password'],
])('%j is the name of a password', (name) => {
  expect(isPassword(name)).toBe(true);
});

test.each([
  ...['', ' ', '_', 'Pass', 'Bus pass', 'Passport', 'Passport number', 'Word', 'Email', 'compass'],
  ...['pwdLastSet', 'Password expires', 'password_changed_at', 'badPwdCount', 'Password reset e-mail', 'Spwn'],
])('%j is none', (name) => {
  expect(isPassword(name)).toBe(false);
});

test('a name of any length is judged at once', () => {
  const begun = performance.now();
  for (const piece of ['password', 'passwordhash', 'pwd1', 'hash', '1'])
    expect(isPassword(`${piece.repeat(60_000)}!x`)).toBe(false);
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('a column that the format tells to be secret is known in any letter case and with any marks', () => {
  const expected = { required: ['id'], optional: [], exact: false, secret: ['Login word', '***'] };
  for (const column of ['Login word', 'login_word', 'LOGIN-WORD', '***', 'password'])
    expect(isSecret(expected, column)).toBe(true);
  // marks alone are no name that another one could be
  for (const column of ['id', '', '**', 'login']) expect(isSecret(expected, column)).toBe(false);
});
