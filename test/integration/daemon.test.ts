// Over 400 lines: the signals, the socket and the commands of one daemon are one story of its operators.

import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DaemonSite } from '../support/daemon-site.ts';
import { freePort } from '../support/free-port.ts';
import { key, PushSite, students } from '../support/pushing.ts';

/** The service as systemd and its operators have it: real processes, signals, the socket and the commands. */

const pushing = { API_KEY: key, 'content-type': 'application/json' };

interface Line {
  type: string;
  who?: string;
  run?: { run: string; status: string; source: string };
  exit?: number;
}
const linesOf = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** Removals of more than this are held, however few. */
const strict = 'guards: { removals: { percent: 10, atLeast: 1 } }';

describe('signals', () => {
  test('SIGUSR2 runs every enabled source, SIGTERM ends with 0 and gives the socket back', async () => {
    const site = new DaemonSite();
    site.drop('sis', 0, 5);
    site.drop('hr', 5, 8);
    const daemon = await site.start();
    daemon.child.kill('SIGUSR2');
    await daemon.says('run.applied', 2);
    expect(
      daemon
        .log('run.applied')
        .map(({ source, trigger }) => [source, trigger])
        .sort(),
    ).toEqual([
      ['hr', 'signal'],
      ['sis', 'signal'],
    ]);
    expect(existsSync(site.socket)).toBe(true);
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(site.socket)).toBe(false);
    expect(daemon.log('daemon.stopped')).toHaveLength(1);
  });

  test('a source or target that the configuration names no more is told of at the reload, and at every start', async () => {
    const lms = 'lms: { kind: canvas, enabled: false, url: "http://127.0.0.1:9", account: 1, token: { env: HOME } }';
    const site = new DaemonSite({ top: `targets:\n  ${lms}` });
    site.drop('sis', 0, 5);
    site.drop('hr', 5, 8);
    const daemon = await site.start();
    daemon.child.kill('SIGUSR2');
    await daemon.says('run.applied', 2);
    site.rewrite((yaml) => yaml.replace('  hr:', '  staff:').replace('  lms:', '  canvas:'));
    daemon.child.kill('SIGHUP');
    const told = [await daemon.says('source.unnamed'), await daemon.says('target.unnamed')];
    expect(told).toMatchObject([
      { level: 'warn', source: 'hr', msg: expect.stringContaining('3 rows still count') },
      { level: 'warn', target: 'lms', msg: expect.stringContaining(`${told[1]!['items']} items`) },
    ]);
    await daemon.stop();
    const same = told.map(({ time: _, ...rest }) => rest);
    expect((await site.start()).log('source.unnamed', 'target.unnamed')).toMatchObject(same);
  });

  test('SIGHUP takes over what can be in force now, says what takes a restart, and refuses a bad file with its lines', async () => {
    const site = new DaemonSite();
    const daemon = await site.start();
    site.rewrite((yaml) =>
      yaml
        .replace('roster:', 'timezone: Asia/Tokyo\nretention: { runs: 50 }\nroster:')
        .replace("'sis-*.csv'", "'sis-*.csv'\n    schedule: '0 4 * * *'"),
    );
    daemon.child.kill('SIGHUP');
    expect((await daemon.says('config.reloaded'))['live']).toEqual(
      expect.arrayContaining(['retention.runs', 'sources.sis.schedule'].map((path) => expect.stringContaining(path))),
    );
    const { json } = await site.ask('GET', '/v1/status');
    expect(json.sources[0]).toMatchObject({ name: 'sis', schedule: '0 4 * * *', timezone: 'Asia/Tokyo' });
    expect(json.sources[0].next).toMatch(/T19:00:00.000Z$/);

    site.rewrite((yaml) => `${yaml}\nmetrics: { port: 19999 }\n`);
    daemon.child.kill('SIGHUP');
    expect((await daemon.says('config.restart'))['restart']).toEqual([expect.stringContaining('metrics')]);

    site.rewrite((yaml) => yaml.replace('kind: csv-drop', 'kind: csv-dorp'));
    daemon.child.kill('SIGHUP');
    const refused = await daemon.says('config.refused');
    expect([refused.level, refused.msg]).toEqual([
      'error',
      expect.stringMatching(/rosterd\.yaml:\d+:\d+: sources\.sis\.kind/),
    ]);
    expect((await site.ask('GET', '/v1/status')).json.sources[0].schedule).toBe('0 4 * * *');
    expect(await daemon.stop('SIGINT')).toBe(0);
  });

  test('SIGHUP and SIGUSR2 during the start refuse and lose nothing, and are done when it is over', async () => {
    const mute = createSocket(() => {}).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    onTestFinished(() => void mute.close());
    const { port } = mute.address() as AddressInfo;
    const away = new DaemonSite({ store: `{ kind: mongodb, uri: 'mongodb://127.0.0.1:${port}', database: r }` });
    const connecting = away.spawn('daemon', '-c', away.config);
    await connecting.says('service.connecting');
    connecting.child.kill('SIGHUP');
    connecting.child.kill('SIGUSR2');
    expect(await connecting.stop()).toBe(0);
    expect(connecting.log('config.refused', 'config.reloaded', 'config.bug')).toEqual([]);

    const site = new DaemonSite();
    site.drop('sis', 0, 3);
    const daemon = site.spawn('daemon', '-c', site.config);
    await daemon.says('control.opened');
    daemon.child.kill('SIGHUP');
    daemon.child.kill('SIGUSR2');
    await daemon.says('config.reloaded');
    expect(await daemon.says('run.applied')).toMatchObject({ source: 'sis', trigger: 'signal' });
    expect(await daemon.stop()).toBe(0);
    expect(daemon.log('daemon.started', 'config.reloaded').map(({ event }) => event)).toEqual([
      'daemon.started',
      'config.reloaded',
    ]);
  });

  test('a stop during a run finishes the batch in hand; the next run goes on from there', async () => {
    const site = new DaemonSite();
    site.drop('sis', 0, 30_000);
    const daemon = await site.start();
    let stopped = false;
    const asked = site.ask('POST', '/v1/run', { sources: ['sis'], wait: true }, (line) => {
      if (stopped || !/changes applied/.test(line)) return;
      stopped = true;
      daemon.child.kill('SIGTERM');
    });
    const end = linesOf((await asked).text).at(-1)!;
    expect(await daemon.ended).toBe(0);
    expect(end).toMatchObject({ type: 'end', exit: 1 });
    const again = await site.start();
    const waited = await site.rosterd('run', 'sis', '--wait', '--json');
    expect(waited.status).toBe(0);
    const accounts = await site.rosterd('export', 'accounts');
    expect(accounts.stdout.trim().split('\n')).toHaveLength(30_000);
    expect(await again.stop()).toBe(0);
  });

  test('a second signal stops at once', async () => {
    // a target that never answers
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close().closeAllConnections());
    const { port } = silent.address() as { port: number };
    const site = new DaemonSite({
      top: `targets:\n  canvas: { kind: canvas, url: 'http://127.0.0.1:${port}', account: 1, token: { file: ./token } }`,
    });
    writeFileSync(join(site.directory, 'token'), 'x');
    site.drop('sis', 0, 3);
    const asked = once(silent, 'request');
    const daemon = await site.start();
    await site.ask('POST', '/v1/run', { sources: ['sis'] });
    await asked;
    daemon.child.kill('SIGTERM');
    await daemon.says('service.stopping');
    const began = performance.now();
    expect(await daemon.stop('SIGTERM')).toBe(1);
    expect(performance.now() - began).toBeLessThan(8000);
  });
});

describe('the socket', () => {
  test('is for user and group, and takes the place of what a dead daemon left', async () => {
    const site = new DaemonSite();
    const dead = await site.start();
    expect(statSync(site.socket).mode & 0o777).toBe(0o660);
    expect(await dead.stop('SIGKILL')).toBe(null);
    expect(existsSync(site.socket)).toBe(true);
    const daemon = await site.start();
    expect((await site.ask('GET', '/v1/status')).json.service).toMatchObject({
      state: 'running',
      pid: daemon.child.pid,
    });
    expect(await daemon.stop()).toBe(0);
  });

  test('of a living daemon is left alone, and so is what is no socket', async () => {
    const site = new DaemonSite();
    const daemon = await site.start();
    const second = await site.rosterd('daemon');
    expect([second.status, second.stderr]).toEqual([
      2,
      expect.stringContaining(`another rosterd answers at ${site.socket}`),
    ]);
    expect((await site.ask('GET', '/v1/status')).json.service.pid).toBe(daemon.child.pid);
    await daemon.stop();
    writeFileSync(site.socket, 'mine');
    const third = await site.rosterd('daemon');
    expect([third.status, third.stderr]).toEqual([2, expect.stringContaining('is no socket')]);
  });

  test('that takes and never answers is not waited for for ever by a second daemon', async () => {
    const site = new DaemonSite();
    const mute = createSocket(() => {}).listen(join(site.directory, 'mute.sock'));
    await once(mute, 'listening');
    onTestFinished(() => void mute.close());
    site.rewrite((yaml) => yaml.replace('store:', `control: { socket: ${site.directory}/mute.sock }\nstore:`));
    expect((await site.rosterd('daemon')).status).toBe(2);
  });
});

describe('run, status and reload', () => {
  test('need a daemon, and say so', async () => {
    const site = new DaemonSite();
    for (const command of ['run', 'status', 'reload', 'log-level'])
      expect(await site.rosterd(command), command).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`no rosterd answers at ${site.socket}`),
      });
  });

  test('run --wait streams progress and exits with 0, 1 and 3; approve over the socket lets pass what was held', async () => {
    const site = new DaemonSite({ top: strict });
    site.drop('sis', 0, 20);
    site.drop('hr', 20, 40);
    const daemon = await site.start();
    const streamed = await site.ask('POST', '/v1/run', { wait: true });
    const lines = linesOf(streamed.text);
    expect(lines[0]).toEqual({ type: 'accepted', sources: ['sis', 'hr'] });
    expect(lines.at(-1)).toMatchObject({ type: 'end', exit: 0 });
    for (const who of ['sis', 'hr']) {
      const own = lines.filter((line) => (line.run?.source ?? line.who) === who).map(({ type }) => type);
      expect(own.at(-1), who).toBe('run');
      expect(own, who).toContain('progress');
    }

    const asked = await site.rosterd('run', 'sis', '--json');
    expect([asked.status, JSON.parse(asked.stdout)]).toEqual([0, { accepted: ['sis'] }]);
    await daemon.says('run.unchanged');

    const planned = await site.rosterd('run', 'sis', '--dry-run', '--wait', '--json');
    expect([planned.status, JSON.parse(planned.stdout).runs[0]]).toMatchObject([
      0,
      { status: 'unchanged', dryRun: true, trigger: 'socket' },
    ]);

    site.drop('sis', 10, 20);
    const held = await site.rosterd('run', '--wait', '--json', 'sis');
    const [run] = JSON.parse(held.stdout).runs;
    expect([held.status, run.status]).toEqual([3, 'held']);
    const status = JSON.parse((await site.rosterd('status', '--json')).stdout);
    expect(status.sources[0]).toMatchObject({
      held: run.run,
      lastRun: { run: run.run, status: 'held' },
      freshness: { state: 'fresh' },
    });
    const wrong = await site.rosterd('approve', run.run, '--digest', 'f'.repeat(64), '--json');
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining(run.plan.digest)]);
    const shown = JSON.parse((await site.rosterd('show', run.run, '--json')).stdout);
    expect(shown.changes.filter(({ held }: { held: boolean }) => held)).toHaveLength(20);
    const approved = await site.rosterd('approve', run.run, '--digest', run.plan.digest, '--json');
    expect([approved.status, JSON.parse(approved.stdout).decision.verdict]).toEqual([0, 'approved']);
    expect(await daemon.says('run.approved')).toMatchObject({ run: run.run });

    site.drop('sis', 15, 20);
    const other = JSON.parse((await site.rosterd('sync', '--source', 'sis', '--json')).stdout).runs[0];
    expect(other).toMatchObject({ status: 'held', trigger: 'socket' });
    const rejected = await site.rosterd('reject', other.run, '--json');
    expect([rejected.status, JSON.parse(rejected.stdout).decision.verdict]).toEqual([0, 'rejected']);

    writeFileSync(join(site.drops, 'hr-1.csv'), 'nonsense\n');
    const failed = await site.rosterd('run', 'hr', '--wait', '--json');
    expect([failed.status, JSON.parse(failed.stdout).runs[0].status]).toEqual([1, 'failed']);
    const bad = await site.rosterd('run', 'hrr', '--wait');
    expect([bad.status, bad.stderr]).toEqual([2, expect.stringContaining('there is no source hrr')]);
    const direct = await site.rosterd('sync', '--no-deliver');
    expect([direct.status, direct.stderr]).toEqual([2, expect.stringContaining('a daemon runs')]);
    const runs = (await site.rosterd('runs', '--json', '--limit', '3')).stdout.trim().split('\n');
    expect(runs.map((line) => JSON.parse(line).status)).toEqual(['failed', 'held', 'applied']);
    expect(await daemon.stop()).toBe(0);

    // without a daemon the same commands work on the store
    expect(JSON.parse((await site.rosterd('show', run.run, '--json')).stdout).changes).toEqual(shown.changes);
  });

  test('run --wait ends with 1 when the daemon dies meanwhile', async () => {
    const site = new DaemonSite();
    site.drop('sis', 0, 30_000);
    const daemon = await site.start();
    const waiting = site.spawn('run', 'sis', '--wait', '--json', '-c', site.config);
    await daemon.says('control.decided');
    await daemon.stop('SIGKILL');
    expect(await waiting.ended).toBe(1);
    expect(waiting.stderr).toContain(`the daemon at ${site.socket} does not answer any more`);
    expect(await waiting.stdout).toBe('');
  });

  test('reload prints what is in force and what takes a restart; a bad file is refused with its lines', async () => {
    const site = new DaemonSite();
    const daemon = await site.start();
    site.rewrite((yaml) => yaml.replace('roster:', 'metrics: { port: 19998 }\nservice: { concurrency: 3 }\nroster:'));
    const { status, stdout } = await site.rosterd('reload', '--json');
    expect([status, JSON.parse(stdout)]).toEqual([
      0,
      {
        live: [{ path: 'service.concurrency', what: 'changed' }],
        restart: [{ path: 'metrics', what: 'changed' }],
      },
    ]);
    // the command itself reads the configuration as well, so the daemon is asked
    site.rewrite((yaml) => yaml.replace('concurrency: 3', 'concurency: 3'));
    const refused = await site.ask('POST', '/v1/reload');
    expect([refused.status, refused.json.error]).toMatchObject([
      400,
      {
        kind: 'Misconfigured',
        message: expect.stringMatching(/rosterd\.yaml:\d+:\d+: service\.concurency: unknown key/),
      },
    ]);
    await daemon.stop();
    expect(daemon.log('config.refused')).toHaveLength(1);
  });
});

test('log-level says and sets what is logged, until the next start', async () => {
  const site = new DaemonSite();
  const daemon = await site.start();
  const level = async (...args: string[]): Promise<unknown> => {
    const { status, stdout, stderr } = await site.rosterd('log-level', ...args);
    return status === 0 ? (JSON.parse(stdout) as { level: string }).level : { status, stderr };
  };
  expect(await level()).toBe('info');
  site.drop('sis', 0, 3);
  expect(await level('debug')).toBe('debug');
  expect(await level()).toBe('debug');
  await site.rosterd('run', 'sis', '--wait');
  expect(await daemon.says('schedule.begins')).toMatchObject({ level: 'debug', source: 'sis' });
  expect(await level('error')).toBe('error');
  await site.rosterd('run', 'sis', '--wait');
  expect(daemon.log('schedule.begins'), 'not logged any more').toHaveLength(1);
  await expect.poll(() => daemon.log('control.decided').map(({ reason }) => reason)).toContain('log level error');
  // asked for wrongly it is said which there are, and nothing changes
  const wrong = {
    status: 2,
    stderr: expect.stringMatching(/loud.*Allowed choices are error, warn, info, debug, silent/s),
  };
  expect(await level('loud')).toEqual(wrong);
  expect(await level()).toBe('error');
  expect(await daemon.stop()).toBe(0);
  const again = await site.start();
  expect(await level()).toBe('info');
  expect(await again.stop()).toBe(0);
});

test('a source that a reload brings can be pushed to, and one that it takes away no more', async () => {
  const site = await PushSite.make();
  await site.start();
  const other = await site.send('../sis-2/students', JSON.stringify({ data: students(0, 2) }), pushing);
  expect(other.status).toBe(404);
  site.rewrite((yaml) => `${yaml.replace('  sis:\n', '  sis-2:\n')}`);
  site.daemon!.kill('SIGHUP');
  await site.says('config.reloaded');
  await expect
    .poll(async () => (await site.send('../sis-2/students', JSON.stringify({ data: students(0, 2) }), pushing)).status)
    .toBe(202);
  await site.says('run.applied');
  expect((await site.push(students(0, 1))).status).toBe(404);
  expect(await site.stop()).toBe(0);
});

test('a target that a reload brings gets what a run at work then comes to', async () => {
  const api = createServer().listen(0, '127.0.0.1');
  await once(api, 'listening');
  onTestFinished(() => void api.close().closeAllConnections());
  const site = new DaemonSite();
  site.rewrite(
    (yaml) => `${yaml}
  api:
    kind: sis-http
    url: http://127.0.0.1:${(api.address() as AddressInfo).port}
    records: data
    key: id
    format: unitu
`,
  );
  const daemon = await site.start();
  const asked = once(api, 'request');
  await site.ask('POST', '/v1/run', { sources: ['api'] });
  const [, response] = (await asked) as [unknown, ServerResponse];
  writeFileSync(join(site.directory, 'secret'), 'x');
  const crm =
    "crm: { kind: salesforce, enabled: false, url: 'http://127.0.0.1:9', clientId: c, clientSecret: { file: ./secret } }";
  site.rewrite((yaml) => `${yaml}targets:\n  ${crm}\n`);
  expect((await site.ask('POST', '/v1/reload', {})).status).toBe(200);
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ data: students(0, 3) }));
  await daemon.says('run.applied');
  expect((await site.ask('GET', '/v1/status')).json.targets).toMatchObject([{ name: 'crm', queue: { queued: 6 } }]);
  expect(await daemon.stop()).toBe(0);
});

test('metrics are at a TCP address as well', async () => {
  const port = await freePort();
  const site = new DaemonSite({ top: `metrics: { port: ${port} }` });
  site.drop('sis', 0, 3);
  const daemon = await site.start();
  await site.rosterd('run', 'sis', '--wait');
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(await response.text()).toMatch(/^rosterd_runs_total\{source="sis",status="applied"\} 1$/m);
  const refusedAt = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  };
  expect(await refusedAt('/v1/status')).toEqual([404, 'metrics are at /metrics\n']);
  expect(await refusedAt('/%ZZ')).toEqual([400, 'the address cannot be read\n']);
  await daemon.stop();
});

test('a source runs at its time', { timeout: 400_000 }, async () => {
  const site = new DaemonSite({ source: "    schedule: '* * * * *'\n" });
  site.drop('sis', 0, 3);
  site.drop('hr', 3, 6);
  const daemon = await site.start();
  const run = await daemon.says('run.applied', 2);
  expect(run['trigger']).toBe('schedule');
  expect((await site.ask('GET', '/v1/metrics')).text).toMatch(/^rosterd_schedule_lag_seconds\{source="sis"\} \d/m);
  await daemon.stop();
});
