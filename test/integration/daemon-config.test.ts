import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { DaemonSite } from '../support/daemon-site.ts';

/** Commands that are given another configuration than the one that the daemon runs. */

// each starts several processes
vi.setConfig({ testTimeout: 300_000 });

/** A daemon that has run `sis` once, and a file beside its own with the same socket and other rules. */
async function siteWithOther() {
  const site = new DaemonSite();
  site.drop('sis', 0, 3);
  const daemon = await site.start();
  expect((await site.rosterd('sync', '--source', 'sis')).status).toBe(0);
  const other = join(site.directory, 'new.yaml');
  site.rewrite((yaml) => yaml.replace('roster:', 'roster: { departments: { exclude: [".*"] } }\n#'), other);
  const given = async (file: string, ...args: string[]) => {
    const command = site.spawn(...args, '-c', file);
    const [status, stdout] = await Promise.all([command.ended, command.stdout]);
    return { status, stdout, stderr: command.stderr };
  };
  const runs = async () => (await site.ask('GET', '/v1/runs')).json.runs.length as number;
  return { site, daemon, other, given, runs };
}

test('nothing is run or tried out with the rules of another file, and both are named', async () => {
  const { site, other, given, runs } = await siteWithOther();
  const before = await runs();
  for (const args of [['sync', '--dry-run'], ['sync'], ['run', 'sis']]) {
    const { status, stdout, stderr } = await given(other, ...args);
    expect([args, status, stdout]).toEqual([args, 2, '']);
    for (const part of [`${other}: `, `runs ${site.config}, `, 'stop the daemon', `rosterd reload -c ${site.config}`])
      expect(stderr).toContain(part);
  }
  expect(await runs()).toBe(before);
  // the daemon would read its own file again, and say that nothing differs
  const reload = await given(other, 'reload');
  expect([reload.status, reload.stderr]).toEqual([2, expect.stringContaining(`runs ${site.config}, and reads only`)]);
  // what only looks goes on
  for (const args of [['runs'], ['status']]) expect([args, (await given(other, ...args)).status]).toEqual([args, 0]);
  // the same text under another name is the same configuration
  writeFileSync(other, readFileSync(site.config));
  expect((await given(other, 'sync', '--source', 'sis')).status).toBe(0);
});

test('a file that was edited counts only when it is reloaded, also when it is given by another name', async () => {
  const { site, given, runs } = await siteWithOther();
  const before = await runs();
  const link = join(site.directory, 'link.yaml');
  symlinkSync(site.config, link);
  site.rewrite((yaml) => `${yaml}\ntimezone: Asia/Tokyo\n`);
  for (const file of [site.config, link]) {
    const { status, stderr } = await given(file, 'sync', '--source', 'sis', '--dry-run');
    expect([status, stderr]).toEqual([2, expect.stringContaining(`rosterd reload -c ${file}`)]);
    expect(stderr).toContain('the file has changed since');
    expect(stderr).not.toContain('refused');
  }
  expect(await runs()).toBe(before);
  expect((await given(link, 'reload')).status).toBe(0);
  expect((await given(site.config, 'sync', '--source', 'sis', '--dry-run')).status).toBe(0);
});

test('a reload that was refused is said as long as the old text is in force', async () => {
  const { site, daemon, given } = await siteWithOther();
  const good = readFileSync(site.config, 'utf8');
  site.rewrite((yaml) => yaml.replace('kind: csv-drop', 'kind: csv-dorp'));
  daemon.child.kill('SIGHUP');
  await daemon.says('config.refused');
  writeFileSync(site.config, `${good}\ntimezone: Asia/Tokyo\n`);
  const { status, stderr } = await given(site.config, 'sync', '--source', 'sis');
  expect([status, stderr]).toEqual([2, expect.stringMatching(/its reload at \S+ was refused: .*sources\.sis\.kind/s)]);
  expect((await site.ask('GET', '/v1/status')).json.service.reloadRefused.reason).toContain('sources.sis.kind');
  expect((await given(site.config, 'reload')).status).toBe(0);
  expect((await site.ask('GET', '/v1/status')).json.service.reloadRefused).toBeNull();
  expect((await given(site.config, 'sync', '--source', 'sis')).status).toBe(0);
});
