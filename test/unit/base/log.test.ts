import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Denied } from '../../../src/base/errors.ts';
import { forJournal, type Log, type LogOptions, levelOf, openLog } from '../../../src/base/log.ts';

/** A log and what it wrote. */
function written(options: LogOptions = {}): { log: Log; text(): string; lines(): Record<string, unknown>[] } {
  let all = '';
  const to = {
    write(text: string) {
      all += text;
    },
  };
  const log = openLog({ level: 'debug', terminal: false, journal: false, to, ...options });
  return {
    log,
    text: () => all,
    lines: () =>
      all
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
  };
}

test('a line has level, time, event, its fields and a text, and nothing of machine and process', () => {
  const { log, lines } = written();
  log.info({ event: 'delivery.done', target: 'canvas', sent: 3, failed: 0, durationMs: 12 }, 'canvas: 3 sent');
  expect(lines()).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      event: 'delivery.done',
      target: 'canvas',
      sent: 3,
      failed: 0,
      durationMs: 12,
      msg: 'canvas: 3 sent',
    },
  ]);
});

test('what an event does not declare, and what has not the form of its field, is not written', () => {
  const { log, lines } = written();
  const said = {
    event: 'run.doubt',
    run: 'Ann Smith',
    source: { name: 'Ann Smith' },
    quarantined: 'Ann',
    conflicts: Number.NaN,
    blocked: 2,
    person: { name: 'Ann Smith' },
    email: 'ann@example.edu',
  };
  log.warn(said as never, 'x');
  log.warn({ event: 'no.such', run: 'r1' } as never, 'y');
  const shown = lines().map(({ time, level, ...rest }) => rest);
  expect(shown).toEqual([
    {
      event: 'run.doubt',
      ...{
        run: '[not shown]',
        source: '[not shown]',
        quarantined: '[not shown]',
        conflicts: '[not shown]',
        blocked: 2,
      },
      msg: 'x',
    },
    { event: 'unknown', msg: 'y' },
  ]);
});

test('what a terminal would obey is shown and not obeyed, in texts and in what is told of errors', () => {
  const { log, text } = written();
  const error = { kind: 'Incomplete', message: 'a\u009b2Jb\u202ecsv' };
  log.error({ event: 'process.crashed', err: new Error('x\u009b2J') }, 'a\u009b1Ab');
  log.error({ event: 'schedule.threw', source: 's', target: null, error, err: null }, 'c');
  expect(text()).not.toMatch(/[\u009b\u202e]/);
  expect(text()).toContain(String.raw`a\\u{9b}2Jb\\u{202e}csv`);
});

describe('standard error that cannot be written', () => {
  /** Runs a piece of code with a full disk at its standard error. */
  const onFullDisk = (code: string): { status: number | null; stdout: string } => {
    const fd = openSync('/dev/full', 'w');
    const at = (file: string): string => JSON.stringify(join(import.meta.dirname, '../../../src', file));
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { openLog } from ${at('base/log.ts')}; import { crash } from ${at('operate/session.ts')};
        const said = { event: 'process.crashed', err: null }; process.on('uncaughtException', crash); ${code}`,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', fd], env: { PATH: process.env['PATH'] } },
    );
    closeSync(fd);
    return { status, stdout };
  };

  test.each(['', ', terminal: true', ', journal: true'])('ends nothing (level%s)', (how) => {
    const code = `const log = openLog({ level: 'info'${how} }); for (let n = 0; n < 3; n += 1) log.error(said, 'x');
      setTimeout(() => { log.error(said, 'y'); console.log('goes on'); }, 1);`;
    expect(onFullDisk(code)).toEqual({ status: 0, stdout: 'goes on\n' });
  });

  test('a fault that nobody catches ends the process with its own status', () => {
    expect(onFullDisk(`setTimeout(() => { throw new Error('fault'); }, 1);`).status).toBe(1);
  });

  test('a command that is refused says so by its status', () => {
    const fd = openSync('/dev/full', 'w');
    const main = join(import.meta.dirname, '../../../src/main.ts');
    const env = { PATH: process.env['PATH'] };
    const { status } = spawnSync(process.execPath, [main, 'sync', '-c', '/no/such.yaml'], {
      ...{ env, stdio: ['ignore', 'ignore', fd] },
    });
    closeSync(fd);
    expect(status).toBe(2);
  });
});

test('an exception is told without what it carries and quotes, causes included, and with its places', () => {
  const { log, lines } = written();
  const cause = new Denied('ann@example.edu may not', { remedy: 'ask ann@example.edu' });
  const error = Object.assign(new TypeError('cannot read "Ann\n    at Ann"', { cause }), {
    row: 'Ann',
    code: 'E_ANN x',
  });
  log.error({ event: 'process.crashed', err: error }, 'it broke: ann@example.edu');
  expect(JSON.stringify(lines())).not.toMatch(/Ann\b|ann@/);
  expect(lines()[0]).toMatchObject({
    msg: 'it broke: [e-mail]',
    err: {
      type: 'TypeError',
      code: '[not shown]',
      stack: expect.arrayContaining([expect.stringContaining('log.test.ts')]),
      cause: { type: 'Denied', kind: 'Denied', message: '[e-mail] may not; ask [e-mail]' },
    },
  });
});

describe('the level', () => {
  test('is what the environment says, and may be set while it runs', () => {
    vi.stubEnv('ROSTERD_LOG_LEVEL', 'warn');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { log, text } = written({ level: undefined });
    expect(log.level).toBe('warn');
    log.debug({ event: 'salesforce.login', target: 'a' }, 'a');
    log.level = 'debug';
    log.debug({ event: 'salesforce.login', target: 'b' }, 'b');
    log.level = 'silent';
    log.error({ event: 'process.crashed', err: null }, 'c');
    expect(text().match(/"msg":"."/g)).toEqual(['"msg":"b"']);
  });

  test('of a name that is none is refused with those there are', () => {
    expect(levelOf('WARN', 'x')).toBe('warn');
    expect(levelOf('', 'x')).toBeUndefined();
    expect(() => levelOf('loud', 'ROSTERD_LOG_LEVEL')).toThrow('ROSTERD_LOG_LEVEL names no level of the log');
  });
});

describe('in the journal', () => {
  test('each line begins with its priority', () => {
    const { log, text } = written({ journal: true });
    log.error({ event: 'process.crashed', err: null }, 'a');
    log.warn({ event: 'run.resumed', run: 'r', source: 's' }, 'b');
    log.info({ event: 'run.approved', run: 'r', source: 's', digest: 'd' }, 'c');
    log.debug({ event: 'salesforce.login', target: 't' }, 'd');
    expect(
      text()
        .trim()
        .split('\n')
        .map((line) => line.slice(0, 4)),
    ).toEqual(['<3>{', '<4>{', '<6>{', '<7>{']);
    expect(forJournal('error', 'one\ntwo\n', true)).toBe('<3>one\n<3>two\n');
    expect(forJournal('error', 'one\n', false)).toBe('one\n');
  });

  test('which is there when standard error is the stream that systemd names, and only then', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rosterd-journal-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const main = join(import.meta.dirname, '../../../src/main.ts');
    const said = (stream: (own: string) => string): string => {
      const file = join(folder, 'stderr');
      const fd = openSync(file, 'w');
      const { dev, ino } = fstatSync(fd, { bigint: true });
      const env = { PATH: process.env['PATH'], JOURNAL_STREAM: stream(`${dev}:${ino}`) };
      spawnSync(process.execPath, [main, 'sync', '-c', '/no/such.yaml'], { env, stdio: ['ignore', 'ignore', fd] });
      closeSync(fd);
      return readFileSync(file, 'utf8');
    };
    expect(said((own) => own)).toMatch(/^<3>rosterd: .*no\/such\.yaml/);
    expect(said((own) => `${own}1`)).toMatch(/^rosterd: /);
    expect(said(() => '')).toMatch(/^rosterd: /);
  });
});

test('on a terminal it is text', () => {
  let all = '';
  const { Writable } = process.getBuiltinModule('node:stream');
  const to = new Writable({
    write(chunk, _encoding, done) {
      all += String(chunk);
      done();
    },
  });
  const log = openLog({ level: 'info', terminal: true, to });
  log.warn({ event: 'run.resumed', run: 'r1', source: 'sis' }, 'sis: finishing');
  expect(all).toMatch(/WARN.*sis: finishing/);
  expect(all).toContain('r1');
});
