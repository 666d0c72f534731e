import { describe, expect, test } from 'vitest';
import { files, type Import, importsOf, sources } from './project.ts';

const imports = sources.flatMap(importsOf);
const show = ({ from, to }: Import): string => `${from} imports ${to}`;
const inFolder = (file: string, ...folders: string[]): boolean => folders.some((one) => file.startsWith(`${one}/`));

/** Imports of ours that a rule does not allow, as text. */
function breaking(rule: (one: Import) => boolean, among = imports): string[] {
  return among.filter((one) => one.ours && rule(one)).map(show);
}

test('the imports are read at all', () => {
  // this very file, and a known way through the product: a check that sees nothing would pass everything
  expect(importsOf('test/structure/imports.test.ts').map(({ to }) => to)).toEqual([
    'vitest',
    'test/structure/project.ts',
  ]);
  expect(imports.map(show)).toContain('src/main.ts imports src/operate/sync.ts');
  expect(imports.map(show)).toContain('src/daemon.ts imports connectors/index.ts');
  expect(imports.map(show)).toContain('src/store/embedded/database.ts imports node:sqlite');
  expect(imports.some((one) => one.typeOnly) && imports.some((one) => !one.typeOnly)).toBe(true);
});

test('every import of ours leads to a file', () => {
  expect(breaking(({ to }) => !files.includes(to))).toEqual([]);
});

describe('import rules', () => {
  test('a connector imports its own folder, src/connector and src/base', () => {
    expect(
      breaking(({ from, to }) => {
        const folder = /^connectors\/[^/]+(?=\/)/.exec(from)?.[0];
        return folder !== undefined && !inFolder(to, folder, 'src/connector', 'src/base');
      }),
      'move what several connectors need to src/connector, or hand it over through the contract',
    ).toEqual([]);
  });

  test('only src/daemon.ts imports connectors, and only their registry', () => {
    expect(
      breaking(
        ({ from, to }) =>
          from.startsWith('src/') &&
          to.startsWith('connectors/') &&
          !(from === 'src/daemon.ts' && to === 'connectors/index.ts'),
      ),
      'take connectors from the compiled configuration, or export what is needed from src/daemon.ts',
    ).toEqual([]);
  });

  test('src/base imports nothing of ours', () => {
    expect(
      breaking(({ from, to }) => inFolder(from, 'src/base') && !inFolder(to, 'src/base')),
      'base is what everything stands on: move the file up, or pass what it needs as an argument',
    ).toEqual([]);
  });

  test('src/connector, the contract, imports only src/base', () => {
    expect(
      breaking(({ from, to }) => inFolder(from, 'src/connector') && !inFolder(to, 'src/connector', 'src/base')),
      'the contract must not know who uses it: declare the type in src/connector',
    ).toEqual([]);
  });

  test('src/reconcile is pure: no store, no network, no files, no later step', () => {
    const forbidden = ['store', 'pull', 'outbox', 'deliver', 'operate', 'configure', 'schedule'];
    const allowedPackages = new Set(['node:crypto']);
    const broken = imports.filter(
      ({ from, to, ours }) =>
        inFolder(from, 'src/reconcile') &&
        (ours ? inFolder(to, ...forbidden.map((name) => `src/${name}`)) : !allowedPackages.has(to)),
    );
    expect(
      broken.map(show),
      'reconciliation takes evidence and gives changes: declare an interface there, and let src/run.ts bring it',
    ).toEqual([]);
  });

  test('the steps do not know the commands, and nobody knows main.ts', () => {
    const steps = ['pull', 'snapshot', 'reconcile', 'outbox', 'deliver', 'store', 'configure', 'schedule', 'connector'];
    expect(
      breaking(({ from, to }) => inFolder(from, ...steps.map((name) => `src/${name}`)) && inFolder(to, 'src/operate')),
      'a step reports through its result and `Work`; commands print',
    ).toEqual([]);
    expect(
      breaking(({ to }) => to === 'src/main.ts'),
      'main.ts runs when it is imported',
    ).toEqual([]);
  });

  test('the steps do not know the composition', () => {
    expect(
      breaking(
        ({ from, to }) =>
          ['src/daemon.ts', 'src/run.ts'].includes(to) &&
          !inFolder(from, 'src/operate') &&
          !['src/daemon.ts', 'src/main.ts'].includes(from),
      ),
      'only commands start runs; pass what a step needs as an argument',
    ).toEqual([]);
  });

  test('only the composition knows which store there is', () => {
    expect(
      breaking(
        ({ from, to }) => /^src\/store\/[^/]+\//.test(to) && !inFolder(from, 'src/store') && from !== 'src/daemon.ts',
      ),
      'use the port, src/store/port.ts',
    ).toEqual([]);
  });
});

describe('no cycles', () => {
  test('no file imports itself by way of others, not even for a type', () => {
    expect(
      cycles(imports).map((cycle) => cycle.join(' → ')),
      'move what both need into a file of its own, which imports neither',
    ).toEqual([]);
  });

  test('a cycle would be found', () => {
    const edge = (from: string, to: string): Import => ({ from, to, ours: true, typeOnly: false });
    expect(cycles([edge('a', 'b'), edge('b', 'c'), edge('c', 'b'), edge('a', 'c')])).toEqual([['b', 'c', 'b']]);
    expect(cycles([edge('a', 'a')])).toEqual([['a', 'a']]);
    expect(cycles([edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')])).toEqual([]);
  });
});

/** One cycle for each import that closes one, in depth-first order. */
function cycles(among: readonly Import[]): string[][] {
  const next = Map.groupBy(
    among.filter((one) => one.ours),
    ({ from }) => from,
  );
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}
