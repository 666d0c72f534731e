import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Misconfigured } from '../../../src/base/errors.ts';
import { Secret } from '../../../src/base/secret.ts';
import { loadConfig } from '../../../src/configure/load.ts';
import { drop, fileOf, folder, least, linesOf, load, problemsOf, registry, wire } from './sample.ts';

describe('a configuration', () => {
  it('has its defaults', () => {
    expect(load(least)).toMatchObject({
      institution: 'example-university',
      stateDir: '/var/lib/rosterd',
      store: { kind: 'embedded' },
      control: { socket: '/var/lib/rosterd/control.sock' },
      roster: { newCourses: 'report', emptyCourses: 'keep' },
      sources: [
        {
          name: 'sis',
          connector: drop,
          enabled: true,
          dryRun: false,
          schedule: null,
          role: 'authoritative',
          limits: { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } },
          format: { kind: 'unitu' },
          settings: { from: '/drops', files: '*.csv', settle: 10_000, retries: 3, pick: 'newest' },
        },
      ],
      targets: [],
    });
  });

  it('resolves the state directory and the socket against the working directory', () => {
    expect(load(`${least}stateDir: ./var\n`)).toMatchObject({
      stateDir: resolve('var'),
      control: { socket: resolve('var/control.sock') },
    });
    expect(load(`${least}stateDir: ./var\ncontrol: { socket: run/x.sock }\n`).control.socket).toBe(
      resolve('run/x.sock'),
    );
  });

  it('reads targets, with secrets that name their origin and show no value', () => {
    const { targets } = load(
      `${least}targets:\n  lms: { kind: wire, url: 'https://x.example', account: 1, token: { env: TOKEN } }\n`,
    );
    expect(targets).toMatchObject([{ name: 'lms', connector: wire, enabled: true, settings: { account: 1 } }]);
    const { token } = targets[0]!.settings as { token: Secret };
    expect(token).toBeInstanceOf(Secret);
    expect(JSON.stringify(token)).toBe('"{ env: TOKEN }"');
  });

  it('reads durations as milliseconds and sizes as bytes', () => {
    const settings = load(`${least}    settle: 2h\n    largest: 64KB\n`).sources[0]!.settings;
    expect(settings).toMatchObject({ settle: 7_200_000, largest: 65_536 });
  });

  it('keeps sources in the order of the file, which is their precedence', () => {
    const entry = '{ kind: drop, from: /drops, format: unitu }';
    const text = `version: 1\ninstitution: x\nsources:\n  zoo: ${entry}\n  20: ${entry}\n  10: ${entry}\n  alpha: ${entry}\n`;
    expect(load(text).sources.map(({ name }) => name)).toEqual(['zoo', '20', '10', 'alpha']);
  });

  it('takes anchors, aliases and merge keys', () => {
    const text = `version: 1
institution: x
sources:
  a: &drop { kind: drop, from: /a, format: unitu, settle: 1m }
  b: { <<: *drop, from: /b }
  c: *drop
`;
    expect(load(text).sources.map(({ settings }) => settings)).toMatchObject([
      { from: '/a', settle: 60_000 },
      { from: '/b', settle: 60_000 },
      { from: '/a', settle: 60_000 },
    ]);
  });

  it('overrides limits field by field, by source', () => {
    const limits = (global: string, own: string) => load(`${global}${least}${own}`).sources[0]!.limits;
    const global = 'guards: { removals: { percent: 5, window: { days: 14 } } }\n';
    expect(limits(global, '')).toEqual({ percent: 5, atLeast: 20, window: { days: 14, percent: 25 } });
    expect(limits(global, '    guards: { removals: { atLeast: 0, window: { percent: 30 } } }\n')).toEqual({
      percent: 5,
      atLeast: 0,
      window: { days: 14, percent: 30 },
    });
  });

  it('compiles patterns that match whole names without case', () => {
    const { roster } = load(
      `${least}roster: { departments: { include: ['physics|chem.*', 'É.+'], exclude: ['X'] } }\n`,
    );
    const [first, second] = roster.departments.include;
    expect(['Physics', 'CHEMISTRY', 'Physics II', 'Astrophysics'].map((name) => first!.test(name))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(second!.test('école')).toBe(true);
    expect(roster.departments.exclude[0]!.test('x')).toBe(true);
    expect(roster.courses.include[0]!.test('Anything at all')).toBe(true);
  });
});

it('is another one when a list that it names is edited, and the same one when nothing is', () => {
  const list = join(folder, 'campuses.txt');
  const file = fileOf(
    least.replace(
      'format: unitu',
      `map: { email: mail, firstName: first, lastName: last, faculty: f, department: d, course: c, attributes: { campus: { column: campus, allowed: { file: '${list}' } } } }`,
    ),
  );
  const digestWith = (lines: string): string => {
    writeFileSync(list, lines);
    return loadConfig(file, registry).digest;
  };
  const north = digestWith('North\n');
  expect(north).toMatch(/^[0-9a-f]{64}$/);
  expect(digestWith('North\nSouth\n')).not.toBe(north);
  expect(digestWith('# as before\nNorth\n')).toBe(north);
});

describe('a file that cannot be read', () => {
  const failure = (file: string): Misconfigured => {
    try {
      loadConfig(file, registry);
    } catch (error) {
      if (error instanceof Misconfigured) return error;
      throw error;
    }
    throw new Error('it was taken');
  };

  it('is named, with the reason', () => {
    expect(failure(`${folder}/absent.yaml`).line()).toBe(
      `${folder}/absent.yaml: cannot read the configuration: there is no such file`,
    );
    expect(failure(folder).message).toContain('it is a directory');
    const latin = fileOf(Buffer.from('institution: Universit\xe9', 'latin1'));
    expect(failure(latin).line()).toBe(`${latin}: the configuration is not UTF-8 text`);
  });

  it('is Misconfigured also when its content is wrong, with one line a problem', () => {
    const file = fileOf('version: 2\nsourcs: {}\n');
    const error = failure(file);
    expect(error.line().split('\n')).toEqual([
      `${file}:1:1: institution: required, and missing`,
      `${file}:1:1: sources: required, and missing`,
      `${file}:1:10: version: expected 1, got 2`,
      `${file}:2:1: sourcs: unknown key; did you mean sources?`,
    ]);
  });
});

describe('a broken YAML file', () => {
  it.each([
    ['version: 1: 2\n', '1:10: a second ": " in one line'],
    ['roster:\n\tnewCourses: keep\n', '2:1: Tabs are not allowed as indentation'],
    ['a: [1\nb: 2\n', '2:1: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['a: 1\nb: 2\na: 3\n', '3:1: the key a is given twice; keep one of the two'],
    ['schedule: */5 * * * *\n', '1:15: Unexpected alias at node end; text that starts with * stands in quotes'],
    ['a: *b\n', '1:4: an alias whose anchor does not stand before it'],
    ['a: !env B\n', '1:4: a YAML tag that means nothing here'],
    ['a: 1\n---\nb: 2\n', '2:1: a second YAML document starts here; remove the line ---'],
    ['', '1:1: the file is empty; begin with version: 1'],
    ['# nothing yet\n', '1:1: the file is empty; begin with version: 1'],
    ['hello\n', '1:1: expected a map of keys, got text'],
    ['- version: 1\n', '1:1: expected a map of keys, got a list'],
  ])('%j: %s', (text, expected) => {
    const [first, ...more] = linesOf(text);
    expect(first).toContain(expected);
    expect(more).toEqual([]);
  });

  it('is refused when aliases would blow it up', () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const item = level === 0 ? 'x' : `*l${level - 1}`;
      return `l${level}: &l${level} [${Array(9).fill(item).join(', ')}]\n`;
    });
    expect(problemsOf(levels.join(''))).toMatchObject([
      { message: expect.stringContaining('alias'), remedy: 'write out what the aliases stand for' },
    ]);
  });

  it('is refused when a path has a NUL in it, which would be cut there', () => {
    expect(linesOf(`${least}control: { socket: "/run/a\\0b" }\nstateDir: "/var/a\\0b"\n`)).toEqual([
      expect.stringContaining('control.socket: a path has no NUL in it'),
      expect.stringContaining('stateDir: a path has no NUL in it'),
    ]);
  });
});
