import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StatusBody } from '../../src/operate/control/api.ts';
import { freePort } from '../support/free-port.ts';
import { csv, lines } from '../support/installation.ts';
import { key, type Student, sha256, students } from '../support/pushing.ts';
import { requireServer } from '../support/requirements.ts';
import { type Rule, sisServer } from '../support/sis.ts';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';
import { buildPackage } from '../support/systemd/build.ts';
import { Machine, systemdMissing } from '../support/systemd/machine.ts';

/**
 * The package on a Debian with a real systemd: its life from the installation to the purge, in the order of the tests.
 */

const unit = 'rosterd.service';
const config = '/etc/rosterd/rosterd.yaml';
const dropIn = (name: string): string => `/etc/systemd/system/rosterd.service.d/${name}.conf`;

requireServer('systemd', () => systemdMissing() ?? sshdMissing())('under systemd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-systemd-'));
  let machine: Machine;
  let sshd: Sshd;
  let port = 0;
  let packages: Record<'old' | 'new', string>;
  /** Ids of all accounts, at the end of a test. */
  let everybody: string[] = [];

  beforeAll(async () => {
    const build = async (name: string, ...args: string[]): Promise<string> => {
      const [file] = await buildPackage(join(folder, name), '--deb', ...args);
      return `/shared/${name}/${file}`;
    };
    const [old, current] = await Promise.all([build('old', '--package-version', '0.0.9'), build('new')]);
    packages = { old, new: current };
    port = await freePort();
    sshd = await startSshd();
    machine = await Machine.boot(folder);
  }, 300_000);

  afterAll(async () => {
    await machine?.stop();
    await sshd?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const yaml = (more = ''): string => `version: 1
institution: example-university
store: { kind: embedded }
listen: { port: ${port} }
roster: { newCourses: provision }
sources:
  sis:
    kind: push
    key: { sha256: ${sha256(key)} }
    format: unitu
  drop:
    kind: csv-drop
    from: sftp://${sshd.user}@127.0.0.1:${sshd.port}${sshd.drops}
    hostKey: '${sshd.hostKeys.ed25519.fingerprint}'
    password: { file: /run/credentials/rosterd.service/sftp }
    files: '*.csv'
    settle: 0s
    format: unitu
${more}`;

  const configure = (text: string): void => {
    machine.write(config, text);
    machine.run('systemd-tmpfiles', '--create', 'rosterd.conf');
  };
  const push = (list: readonly Student[], as = key): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/api/v1/sources/sis/students`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${as}` },
      body: JSON.stringify({ data: list }),
    });
  const ids = (): string[] =>
    machine
      .run('rosterd', 'export', 'accounts', '-c', config)
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { id: string }).id)
      .sort();
  const state = () =>
    machine.show(unit, 'ActiveState', 'Result', 'MainPID', 'NRestarts', 'StatusText', 'ExecMainStatus');
  const journal = (...args: string[]): string =>
    machine.run('journalctl', '-u', unit, '-o', 'cat', '--no-pager', ...args);
  const events = (name: string): Record<string, unknown>[] =>
    journal()
      .split('\n')
      .filter((line) => line.includes(`"event":"${name}"`))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const restarted = async (before: string): Promise<void> =>
    machine.until('another process is ready', () => {
      const { ActiveState, MainPID } = state();
      return ActiveState === 'active' && MainPID !== before && MainPID !== '0';
    });

  test('installed it is enabled, and quiet without a configuration', () => {
    expect(machine.run('dpkg', '-i', packages.old)).toContain('copy /etc/rosterd/rosterd.yaml.example');
    expect(machine.run('rosterd', '--version').trim()).toBe('0.0.9');
    expect(machine.run('systemctl', 'is-enabled', unit).trim()).toBe('enabled');
    machine.run('systemctl', 'start', unit);
    expect(state().ActiveState).toBe('inactive');
    expect(machine.show(unit, 'ConditionResult').ConditionResult).toBe('no');
    const modes = machine.run(
      'stat',
      '-c',
      '%a %U:%G %n',
      '/etc/rosterd',
      '/etc/rosterd/credentials',
      '/var/lib/rosterd',
    );
    expect(modes.trim().split('\n')).toEqual([
      '750 root:rosterd /etc/rosterd',
      '700 root:root /etc/rosterd/credentials',
      '750 rosterd:rosterd /var/lib/rosterd',
    ]);
    // what is installed is what was packed
    expect(machine.try('dpkg', '--verify', 'rosterd')).toMatchObject({ status: 0, stdout: '' });
  });

  test('the example of the package is valid but for secrets that are not there', () => {
    const { status, stderr, stdout } = machine.try('rosterd', 'check', '-c', '/etc/rosterd/rosterd.yaml.example');
    expect([status, stderr + stdout]).toEqual([0, expect.any(String)]);
  });

  test('a start comes back when the listener is up, and the status says so', async () => {
    machine.write('/etc/rosterd/credentials/sftp', `${sshd.password}\n`, '0600');
    machine.write(dropIn('secrets'), '[Service]\nLoadCredential=sftp:/etc/rosterd/credentials/sftp\n');
    configure(yaml());
    machine.run('systemctl', 'daemon-reload');
    machine.run('systemctl', 'start', unit);
    // at once, without another try
    expect((await push(students(0, 3))).status).toBe(202);
    expect(state()).toMatchObject({ ActiveState: 'active', Result: 'success', NRestarts: '0' });
    const said = machine.run('systemctl', 'status', '--no-pager', unit);
    expect(said).toContain(`Status: "running, listening on http://127.0.0.1:${port}"`);
    await machine.until('the push is applied', () => journal().includes('run.applied'));
    expect(ids()).toEqual(['id0', 'id1', 'id2']);
  });

  test('a secret is read by the service and root, and by nobody else', () => {
    const secret = '/run/credentials/rosterd.service/sftp';
    expect(machine.run('cat', secret).trim()).toBe(sshd.password);
    machine.run('setpriv', '--reuid=rosterd', '--regid=rosterd', '--clear-groups', 'cat', secret);
    const asNobody = (...command: string[]) =>
      machine.try('setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', '--', ...command);
    for (const file of [secret, '/etc/rosterd/credentials/sftp', config, '/var/lib/rosterd/rosterd.db'])
      expect([file, asNobody('cat', file).stderr]).toEqual([file, expect.stringContaining('Permission denied')]);
    // not even the service reads the place where the secrets are kept
    const asService = ['setpriv', '--reuid=rosterd', '--regid=rosterd', '--init-groups', '--'];
    expect(machine.try(...asService, 'ls', '/etc/rosterd/credentials').status).not.toBe(0);
    const { MainPID: pid } = state();
    const seen = machine.run('sh', '-c', `tr '\\0' ' ' </proc/${pid}/environ; tr '\\0' ' ' </proc/${pid}/cmdline`);
    expect(seen + journal()).not.toContain(sshd.password);
    const walls = machine.run('grep', '-h', '^Cap\\|^NoNewPrivs\\|^Seccomp:', `/proc/${pid}/status`);
    const none = ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((name) => `Cap${name}: 0000000000000000`);
    expect(walls.trimEnd().replaceAll('\t', ' ').split('\n')).toEqual([...none, 'NoNewPrivs: 1', 'Seccomp: 2']);
  });

  test('from inside its walls it reads an SFTP server with its secret', () => {
    const file = join(sshd.drops, 'students.csv');
    const known = (line: string): string =>
      line.replace('Engineering Office,Engineering Basics', 'Mechanical Engineering,Car Design');
    writeFileSync(file, csv(lines(10, 14).map(known)));
    sshd.own(file);
    machine.run('rosterd', 'run', 'drop', '--wait', '-c', config);
    // and by hand, with the same secret, for as long as the service runs
    expect(machine.run('rosterd', 'check', '-c', config, '--connect', '--json')).toContain('students.csv');
    expect(ids()).toEqual(['id0', 'id1', 'id10', 'id11', 'id12', 'id13', 'id2']);
  });

  test('the journal has every line with its priority', async () => {
    expect((await push([], 'rosterd_wrong')).status).toBe(401);
    await machine.until('the refusal is told', () => journal().includes('push.refused'));
    expect(journal('-p', 'warning')).toContain('push.refused');
    expect(journal('-p', 'warning')).not.toContain('daemon.started');
    expect(journal('-p', 'info')).toContain('daemon.started');
    const events = journal('-p', 'info')
      .split('\n')
      .filter((line) => line.startsWith('{'));
    expect(events.map((line) => (JSON.parse(line) as { event: string }).event)).toContain('run.applied');
  });

  test('a reload keeps the process; a bad file is refused with its line', async () => {
    const { MainPID: pid } = state();
    configure(yaml('targts: {}\n'));
    machine.run('systemctl', 'reload', unit);
    await machine.until('the file is refused', () => journal('-p', 'err').includes('config.refused'));
    expect(journal('-p', 'err')).toContain('targts');
    await machine.until('it is at work again', () => state().StatusText.startsWith('running'));
    expect(state()).toMatchObject({ ActiveState: 'active', MainPID: pid });
    configure(yaml());
    machine.run('systemctl', 'reload', unit);
    await machine.until('it is at work again', () => state().ActiveState === 'active');
    expect((await push(students(0, 3))).status).toBe(202);
    expect(state().MainPID).toBe(pid);
  });

  test('killed it comes back by itself, with everything it knew', async () => {
    const { MainPID: pid } = state();
    machine.run('sh', '-c', `kill -9 ${pid}`);
    await restarted(pid);
    expect(state().NRestarts).toBe('1');
    expect(ids()).toHaveLength(7);
    expect((await push(students(0, 4))).status).toBe(202);
  });

  test('a process that stands still is killed by the watchdog, and comes back', async () => {
    machine.write(dropIn('impatient'), '[Service]\nWatchdogSec=10s\n');
    machine.run('systemctl', 'daemon-reload');
    machine.run('systemctl', 'restart', unit);
    const { MainPID: pid } = state();
    // it feeds: three intervals pass, and it is the same process
    const fed = performance.now();
    await machine.until('three intervals have passed', () => performance.now() - fed > 30_000);
    expect(state().MainPID).toBe(pid);
    machine.run('sh', '-c', `kill -STOP ${pid}`);
    await restarted(pid);
    expect(journal()).toMatch(/Watchdog timeout/);
    machine.run('rm', dropIn('impatient'));
    // a new secret is there after a restart, and not before
    const secret = (): string => machine.run('cat', '/run/credentials/rosterd.service/sftp').trim();
    machine.write('/etc/rosterd/credentials/sftp', 'rotated', '0600');
    machine.run('systemctl', 'daemon-reload');
    expect(secret()).toBe(sshd.password);
    machine.run('systemctl', 'restart', unit);
    expect(secret()).toBe('rotated');
  });

  test('one that lives with a stuck run is killed as well, not with a slow one', { timeout: 600_000 }, async () => {
    const writeFirst = (response: ServerResponse, list: readonly Student[]): void => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`{"data":[${JSON.stringify(list[0])}`);
    };
    const slowly = students(30, 52);
    let sent = 0;
    const crawl = (response: ServerResponse): void => {
      writeFirst(response, slowly);
      sent = 1;
      const timer = setInterval(() => {
        response.write(`,${JSON.stringify(slowly[sent])}`);
        sent += 1;
        if (sent < slowly.length) return;
        clearInterval(timer);
        response.end(']}');
      }, 3_000);
    };
    // never silent, and never a whole record more
    const drip = (response: ServerResponse): void => {
      writeFirst(response, students(20, 21));
      const timer = setInterval(() => response.write(' '), 2_000);
      response.on('close', () => clearInterval(timer));
    };
    const whole: Rule = ({ url }) => ({ body: { data: url.pathname === '/hangs' ? students(20, 23) : [slowly[0]] } });
    const server = await sisServer(whole);
    const source = (name: string): string => `  ${name}:
    kind: sis-http
    url: ${server.url}/${name}
    records: data
    key: id
    format: unitu
`;
    configure(yaml(`${source('hangs')}${source('crawls')}service: { stuckAfter: 1m }\n`));
    machine.write(dropIn('impatient'), '[Service]\nWatchdogSec=40s\n');
    machine.run('systemctl', 'daemon-reload');
    machine.run('systemctl', 'restart', unit);
    const { MainPID: pid } = state();
    const applied = (name: string): number[] =>
      events('run.applied').flatMap(({ source, durationMs }) => (source === name ? Number(durationMs) : []));
    machine.run('rosterd', 'run', 'hangs', 'crawls', '-c', config);
    await machine.until('both are known', () => applied('hangs').length + applied('crawls').length === 2);
    const before = ids();
    expect(before).toHaveLength(12);

    server.rule = ({ url }, response) => {
      (url.pathname === '/hangs' ? drip : crawl)(response);
      return null;
    };
    machine.run('rosterd', 'run', 'crawls', '-c', config);
    await machine.until('a part of the slow answer has come', () => sent === 8);
    machine.run('rosterd', 'run', 'hangs', '-c', config);
    await machine.until('the slow answer has come whole', () => applied('crawls').length === 2, 120_000);
    expect(applied('crawls')[1]).toBeGreaterThan(60_000);
    expect([state().MainPID, events('service.stuck')]).toEqual([pid, []]);

    await machine.until('it says that it is stuck', () => events('service.stuck').length > 0, 90_000);
    expect(journal('-p', 'err')).toContain('source hangs: no progress for 1 min; the watchdog is not fed');
    // everything else goes on, and whoever asks is told
    const said = machine.try('rosterd', 'status', '-c', config);
    expect((await push(students(0, 4))).status).toBe(202);
    expect(state().MainPID).toBe(pid);
    const { service, store, atWork } = JSON.parse(said.stdout) as StatusBody;
    expect([said.status, service, store]).toMatchObject([
      1,
      { state: 'running', healthy: false, pid: Number(pid) },
      { state: 'answers' },
    ]);
    expect(atWork).toMatchObject([{ who: 'source hangs' }]);
    expect(atWork[0]!.quietMs).toBeGreaterThan(60_000);

    await restarted(pid);
    expect(journal()).toMatch(/Watchdog timeout \(limit 40s\)!/);
    expect(state()).toMatchObject({ NRestarts: '1', StatusText: expect.stringMatching(/^running/) });
    everybody = [...before, ...slowly.slice(1).map(({ id }) => id)].sort();
    expect(ids()).toEqual(everybody);
    server.rule = () => ({ body: { data: students(20, 24) } });
    machine.run('rosterd', 'run', 'hangs', '-c', config);
    await machine.until('it is read again', () => applied('hangs').length === 2);
    everybody = [...everybody, 'id23'].sort();
    expect(ids()).toEqual(everybody);
    expect(machine.try('rosterd', 'status', '-c', config).status).toBe(0);
    machine.run('rm', dropIn('impatient'));
    configure(yaml());
    machine.run('systemctl', 'daemon-reload');
    machine.run('systemctl', 'restart', unit);
  });

  test('a stop is in time, clean, and no reason to start again', async () => {
    const before = performance.now();
    machine.run('systemctl', 'stop', unit);
    expect(performance.now() - before).toBeLessThan(15_000);
    expect(state()).toMatchObject({ ActiveState: 'inactive', Result: 'success', ExecMainStatus: '0' });
    // the journal takes a last line in after the end was noticed
    await machine.until('its end is told', () => journal().includes('daemon.stopped'));
  });

  test('a wrong configuration is told once, and not tried again', async () => {
    configure(yaml('targts: {}\n'));
    expect(machine.try('systemctl', 'start', unit).status).not.toBe(0);
    expect(state()).toMatchObject({ ActiveState: 'failed', ExecMainStatus: '2', NRestarts: '0' });
    await machine.until('the key is told', () => journal().includes('targts'));
    configure(yaml());
  });

  test('an upgrade starts only what ran, and keeps state, secrets and an edited example', () => {
    machine.run('sh', '-c', 'echo "# mine" >>/etc/rosterd/rosterd.yaml.example');
    machine.run('dpkg', '-i', packages.old);
    expect(state().ActiveState).not.toBe('active');
    machine.run('systemctl', 'start', unit);
    const { MainPID: pid } = state();
    machine.run('dpkg', '-i', packages.new);
    expect(machine.run('dpkg', '-s', 'rosterd')).not.toContain('Version: 0.0.9');
    expect(state()).toMatchObject({ ActiveState: 'active' });
    expect(state().MainPID).not.toBe(pid);
    expect(ids()).toEqual(everybody);
    expect(machine.run('tail', '-1', '/etc/rosterd/rosterd.yaml.example').trim()).toBe('# mine');
    machine.run('systemctl', 'disable', '--quiet', unit);
    machine.run('dpkg', '-i', packages.new);
    // what an administrator has decided
    expect(machine.try('systemctl', 'is-enabled', unit).stdout.trim()).toBe('disabled');
  });

  test('its walls leave an exposure of 1.2 at most', () => {
    const report = machine.run('systemd-analyze', 'security', '--no-pager', unit);
    const exposure = Number(/Overall exposure level for rosterd\.service: ([\d.]+)/.exec(report)?.[1]);
    expect(exposure).toBeLessThanOrEqual(1.2);
    const verified = machine.try('systemd-analyze', 'verify', '--man=no', unit).stderr;
    const unknown = verified
      .split('\n')
      .filter((line) => line && !/Unknown key.*'Restart(Steps|MaxDelaySec)'/.test(line));
    expect(unknown, 'only the two keys of newer systemd are unknown').toEqual([]);
  });

  test('removed it leaves its state; purged too, and says where; it moves to another host', () => {
    machine.run('dpkg', '-r', 'rosterd');
    expect(machine.try('systemctl', 'is-active', unit).stdout.trim()).not.toBe('active');
    machine.run('test', '-s', '/var/lib/rosterd/rosterd.db');
    expect(machine.try('test', '-e', '/usr/bin/rosterd').status).toBe(1);
    expect(machine.run('dpkg', '-P', 'rosterd')).toContain('rm -r /var/lib/rosterd');
    machine.run('test', '-s', '/var/lib/rosterd/rosterd.db');
    machine.run('test', '-s', config);
    expect(machine.try('test', '-e', '/etc/rosterd/rosterd.yaml.example').status).toBe(1);
    // on another host the user has another number, and finds it all again
    const parts = ['etc/rosterd', 'var/lib/rosterd', 'etc/systemd/system/rosterd.service.d'];
    machine.run('tar', '-C', '/', '-czf', '/root/move.tar.gz', ...parts);
    machine.run('rm', '-r', ...parts.map((part) => `/${part}`));
    machine.run('groupmod', '-n', 'other', 'rosterd');
    machine.run('usermod', '-l', 'other', 'rosterd');
    machine.run('dpkg', '-i', packages.new);
    machine.run('tar', '-C', '/', '-xpzf', '/root/move.tar.gz');
    machine.run('systemctl', 'daemon-reload');
    machine.run('systemctl', 'start', unit);
    expect(ids()).toEqual(everybody);
  });
});
