import type { ColumnExpectation } from './columns.ts';

/**
 * Names that say that a password is under them: one list for columns, attributes of directories and keys of JSON. What is
 * called so is never stored, not even where a configuration asks for it; what is called otherwise, only whoever configures
 * the source can know. A name is judged by how it ends, so that `pwdLastSet` and `Password expires` stay what they are.
 */
const password = 'password|passwd|passwort|kennwort|passphrase|passcode|pwd';
/** What may follow without making something else of it: hashes of passwords are as good as these to whoever has time. */
const kinds =
  'hash|hashed|digest|salt|crypt|encrypted|md|sha|ssha|bcrypt|base|plain|clear|text|value|binary|history|initial|temporary|temp|default|new|old|current|confirm|confirmation|again|repeat|[0-9]';
const named = new RegExp(
  `(?:${password})(?:${kinds})*$|^(?:user|login|initial|temporary|temp|default|new|old)?pw[0-9]*$`,
);

/** True for the name of something that is a password, whatever its letter case, spaces and marks. */
export function isPassword(name: string): boolean {
  return named.test(plain(name));
}

/** What is said of a configuration that would store one. */
export const neverStored = 'passwords are never stored, and this is the name of one';

/** True for a column that is neither kept nor digested: its name says that it has passwords, or the format does. */
export function isSecret({ secret = [] }: ColumnExpectation, column: string): boolean {
  return isPassword(column) || secret.some((one) => sameName(one, column));
}

/** True for two names of one thing: letter case, spaces and marks count for nothing, unless there is nothing else. */
export function sameName(a: string, b: string): boolean {
  return a === b || (plain(a) !== '' && plain(a) === plain(b));
}

function plain(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}
