import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ldap } from '../../../connectors/ldap/connector.ts';
import type { LdapSettings } from '../../../connectors/ldap/schema.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { Answer, SourceContext } from '../../../src/connector/source.ts';
import { dropContext, readAll, temporaryFolder } from '../drop.ts';

/** What tests of directories share. */

/** A context whose format wants these columns; real time, for a silent server is told by it. */
export function ldapContext(columns: readonly string[], changes: Partial<SourceContext> = {}): SourceContext {
  return dropContext({ columns: { required: columns, optional: [], exact: false }, clock: systemClock, ...changes });
}

/** Settings as a configuration would give them. */
export function ldapSettings(written: Record<string, unknown>): LdapSettings {
  return ldap.settings.parse(written);
}

/** A secret in a file that is gone when the test is. */
export function secretFile(text: string): { file: string } {
  const file = join(temporaryFolder(), 'secret');
  writeFileSync(file, text);
  return { file };
}

/** Logs in as one of a server's accounts. */
export function as(account: { dn: string; password: string }): { bindDN: string; password: { file: string } } {
  return { bindDN: account.dn, password: secretFile(account.password) };
}

/** A row, as it was decoded. */
export interface LdapRow {
  cells?: readonly string[];
  broken?: string;
  column?: number | null;
  origin?: string;
}

/** Pulls, and gives the answer back when the test is over. */
export async function pulledFrom(settings: LdapSettings, context: SourceContext): Promise<Answer> {
  const answer = (await ldap.pull(settings, context))!;
  onTestFinished(() => answer.close());
  return answer;
}

/** All rows of an answer. */
export async function rowsOf(answer: Answer): Promise<LdapRow[]> {
  return (await readAll(answer)).map(({ part: _part, line: _line, ...row }) => row);
}

/** Pulls, and gives the cells of each row. */
export async function cellsFrom(settings: LdapSettings, context: SourceContext): Promise<(readonly string[])[]> {
  return (await rowsOf(await pulledFrom(settings, context))).map((row) => row.cells ?? ['broken', row.broken ?? '']);
}
