import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Installation } from '../support/installation.ts';

/** Passwords that stand in a file are read by nobody, kept nowhere and shown nowhere, whatever their column is called. */

const secret = 'hunter2-aged-cheese';

/** An installation that reads uploads of Cloudwork by a format with these options. */
function siteWith(options: string): Installation {
  const site = new Installation();
  onTestFinished(() => site.close());
  const yaml = readFileSync(site.config, 'utf8');
  writeFileSync(site.config, yaml.replace('format: unitu', `format: { cloudwork-upload: ${options} }`));
  return site;
}

/** All bytes that rosterd has written. */
function everything(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('\n');
}

async function shown(site: Installation) {
  const { stdout } = await site.rosterd('sync', '--json');
  const { run, status } = JSON.parse(stdout).runs[0];
  const show = await site.rosterd('show', run, '--json');
  const accounts = await site.rosterd('export', 'accounts');
  const all = [stdout, show.stdout, show.stderr, accounts.stdout, everything(join(site.directory, 'var'))].join('\n');
  return { status, show: show.stdout, accounts: accounts.stdout, all };
}

describe('a file with passwords', () => {
  test.each([
    ['a column that nothing maps', '{ role: Role }', 'Password'],
    ['the column of the configuration, in other letters', '{ password: password }', 'Password'],
    ['the column of the configuration, with other marks', '{ password: login secret }', 'Login_Secret'],
    ['a column that says more', '{ role: Role }', 'Temporary password'],
  ])('%s: it is passed over, and said so', async (_, options, column) => {
    const site = siteWith(options);
    const head = `Username,Email,Firstname,Lastname,Role,${column},Locker`;
    site.drop(`${head}\nann,ann@x.edu,Ann,Lee,Student,${secret},12\nbob,bob@x.edu,Bob,Ray,Student,${secret},13\n`);
    const check = await site.rosterd('check', '--connect', '--json');
    const { warnings } = JSON.parse(check.stdout).findings.find(
      ({ name }: { name: string }) => name === 'sis-students',
    );
    expect(warnings).toEqual([expect.stringContaining(`the column "${column}" holds passwords`)]);
    expect(check.stdout + check.stderr).not.toContain(secret);
    const { status, show, accounts, all } = await shown(site);
    expect(status).toBe('applied');
    expect(accounts).toContain('"Locker":"12"');
    expect(accounts).not.toContain(column);
    expect(show).toContain('holds passwords');
    expect(all).not.toContain(secret);
  });
});
