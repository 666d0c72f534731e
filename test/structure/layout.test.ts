import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sourceConnectors, targetConnectors, targetStubs } from '../../connectors/index.ts';
import { version } from '../../src/operate/version.ts';
import { connectorFolders, files, importsOf, read, root, sources } from './project.ts';

interface Manifest {
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}
const manifest = JSON.parse(read('package.json')) as Manifest;

describe('folders and files', () => {
  test('the top level holds what the design names', () => {
    const folders = ['.ci', '.github', 'config', 'connectors', 'src', 'systemd', 'test'];
    const own = [
      '.gitattributes',
      '.gitignore',
      '.npmrc',
      'README.md',
      'biome.json',
      'package-lock.json',
      'package.json',
    ];
    const tools = ['tsconfig.build.json', 'tsconfig.json', 'vitest.config.ts'];
    const found = new Set(files.map((file) => file.replace(/\/.*/, '/')));
    const allowed = [...folders.map((name) => `${name}/`), ...own, ...tools];
    expect(
      [...found].filter((name) => !allowed.includes(name)),
      'put it into one of the folders, or ignore it in .gitignore',
    ).toEqual([]);
  });

  test('the folders of src are the steps and what they stand on', () => {
    const steps = ['schedule', 'pull', 'snapshot', 'reconcile', 'outbox', 'deliver'];
    const rest = ['configure', 'operate', 'store', 'connector', 'base', 'run', 'main.ts', 'daemon.ts', 'run.ts'];
    const found = new Set(sources.filter((file) => file.startsWith('src/')).map((file) => file.split('/')[1]!));
    expect(
      [...found].filter((name) => ![...steps, ...rest].includes(name)),
      'find the step it belongs to',
    ).toEqual([]);
    expect(
      steps.filter((name) => !found.has(name)),
      'each step of the way of a record has its folder',
    ).toEqual([]);
  });

  test('unit tests mirror src and connectors', () => {
    const places = new Set([...sources, 'src/structure'].map((file) => file.replace(/\/[^/]*$/, '')));
    const stray = files.filter((file) => {
      const inside = /^test\/unit\/(.*)\/[^/]*$/.exec(file)?.[1];
      return inside !== undefined && !places.has(inside) && !places.has(`src/${inside}`);
    });
    expect(stray, 'test/unit has the folders of src, and connectors/ beside them').toEqual([]);
  });

  test('vitest runs every test file', () => {
    const stray = files.filter(
      (file) =>
        /\.(test|spec)\.[cm]?[jt]sx?$/.test(file) &&
        !/^test\/(unit|property|conformance|structure|integration)\/.*\.test\.ts$/.test(file),
    );
    expect(stray, 'name it *.test.ts and put it into the folder of its kind').toEqual([]);
  });

  test('a file over 400 lines says at its top why', () => {
    const long = files.filter((file) => /\.(ts|js|mjs|sh|md)$/.test(file) && read(file).split('\n').length > 401);
    const silent = long.filter((file) => !/(\/\/|\*|#|<!--).*\blines\b/.test(read(file).split('\n', 10).join('\n')));
    expect(silent, 'split it, or say why it has so many lines in a comment within its first ten').toEqual([]);
  });
});

describe('connectors', () => {
  const registered = [...sourceConnectors, ...targetConnectors];

  test('the registry is the folders', () => {
    expect(registered.map((one) => one.kind).sort(), 'list each folder of connectors/ in connectors/index.ts').toEqual(
      connectorFolders,
    );
    expect(targetStubs.map((stub) => stub.kind).sort(), 'every target has a stub, in targetStubs').toEqual(
      targetConnectors.map((one) => one.kind).sort(),
    );
  });

  test.each(registered.map((one) => [one.kind, one.direction] as const))('%s has the files of a %s', (kind, is) => {
    const wanted = [
      'connector.ts',
      'schema.ts',
      'README.md',
      ...(is === 'source' ? ['pull.ts'] : ['deliver.ts', 'stub.ts']),
    ];
    expect(
      wanted.map((name) => `connectors/${kind}/${name}`).filter((file) => !files.includes(file)),
      'connectors/README.md says what each file is for',
    ).toEqual([]);
  });

  test('how to add one is written down', () => {
    expect(files).toContain('connectors/README.md');
  });
});

describe('packages', () => {
  const importers = files.filter((file) => file.endsWith('.ts'));
  const imported = (among: readonly string[]): Set<string> =>
    new Set(among.flatMap(importsOf).flatMap(({ to, ours }) => (ours || to.startsWith('node:') ? [] : [to])));

  test('the product imports every dependency, and nothing else', () => {
    const used = imported(sources);
    // pino loads pino-pretty by itself only with a transport; we import it, so it is no exception
    expect(
      Object.keys(manifest.dependencies).filter((name) => !used.has(name)),
      'npm uninstall it, or npm install --save-dev it when only tests use it',
    ).toEqual([]);
    expect(
      [...used].filter((name) => !(name in manifest.dependencies)),
      'npm install it: an import of a package that only another one brings breaks with its next version',
    ).toEqual([]);
  });

  test('tests and tools use every development dependency', () => {
    const used = imported(importers);
    const scripts = read('package.json');
    const unused = Object.keys(manifest.devDependencies).filter((name) => {
      // types are used by the compiler; programs are named in a script or, for node, are what runs it
      const typed = /^@types\/(.*)/.exec(name)?.[1];
      const program = { typescript: 'tsc ', '@biomejs/biome': 'biome ', node: 'node ' }[name];
      return !(
        used.has(name) ||
        typed === 'node' ||
        (typed && used.has(typed)) ||
        (program && scripts.includes(program))
      );
    });
    expect(unused, 'npm uninstall it').toEqual([]);
    expect(
      [...used].filter((name) => !(name in manifest.dependencies) && !(name in manifest.devDependencies)),
      'npm install --save-dev it',
    ).toEqual([]);
  });

  test('the lock file has every package, also those of other platforms', () => {
    type Entry = Record<'dependencies' | 'optionalDependencies', Record<string, string> | undefined>;
    const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Entry> };
    const missing = Object.entries(packages).flatMap(([place, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !above(place).some((folder) => `${folder}node_modules/${name}` in packages))
        .map((name) => `${name} for ${place}`),
    );
    expect(missing, 'npm ci refuses such a file: add the entries, without integrity where none is known').toEqual([]);
  });

  test('the lock file names no registry but the public one', () => {
    const resolved = [...read('package-lock.json').matchAll(/"resolved": "([^"]*)"/g)].map((match) => match[1]!);
    expect(
      resolved.filter((url) => !url.startsWith('https://registry.npmjs.org/')),
      'npm install with --registry=https://registry.npmjs.org, or with omit-lockfile-registry-resolved',
    ).toEqual([]);
  });
});

describe('the version', () => {
  test('stands in package.json only; the lock file repeats it, as npm does', () => {
    expect(version).toBe(manifest.version);
    const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: Record<string, Manifest> };
    expect([lock.version, lock.packages['']!.version], 'npm install writes it').toEqual([version, version]);
    const ours = files.filter((file) => /^(src|connectors|systemd)\//.test(file));
    expect(
      ours.filter((file) => new RegExp(`(?<![\\w.])${RegExp.escape(version)}(?![\\w.])`).test(read(file))),
      'import it from src/operate/version.ts',
    ).toEqual([]);
    expect(importsOf('src/operate/version.ts').map(({ to }) => to)).toEqual(['package.json']);
  });
});

describe('texts', () => {
  test('README.md tells of every command', () => {
    const { stdout } = spawnSync(process.execPath, [join(root, 'src/main.ts'), '--help'], { encoding: 'utf8' });
    const commands = [...stdout.matchAll(/^ {2}([a-z]+)(?: \[options\])?(?: |$)/gm)].map((match) => match[1]!);
    expect(commands).toContain('sync');
    const readme = readIfThere('README.md');
    const told = (name: string): boolean =>
      new RegExp(`(\`|\\brosterd |\\brosterd -- |\\bnpm run )${name}\\b`).test(readme);
    expect(
      commands.filter((name) => name !== 'help' && !told(name)),
      'say in README.md when a person needs it',
    ).toEqual([]);
  });

  test('README.md tells of every connector', () => {
    const readme = readIfThere('README.md');
    expect(
      connectorFolders.filter((name) => !readme.includes(name)),
      'name it in README.md, with a link to its own',
    ).toEqual([]);
  });

  test('links between our own texts lead somewhere', () => {
    const broken = files
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        [...read(file).matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
          .map((match) => join(file, '..', match[1]!).replace(/\/$/, ''))
          .filter((to) => !files.some((known) => known === to || known.startsWith(`${to}/`)))
          .map((to) => `${file} links to ${to}`),
      );
    expect(broken).toEqual([]);
  });

  test('nothing of the machine it was made on is in a name or a text', () => {
    // in pieces, so that this file is no hit
    const words = [
      ['/wo', 'rk/'],
      ['help', 'er-'],
      ['.lib', 'rary'],
      ['fa', 'rm-'],
    ].map((pieces) => pieces.join(''));
    const hits = files
      .filter((file) => file !== 'package-lock.json')
      .flatMap((file) => {
        const text = `${file}\n${read(file)}`.toLowerCase();
        return words.filter((word) => text.includes(word)).map((word) => `${file}: ${word}`);
      });
    expect(hits, 'say it without the path, or in other words').toEqual([]);
  });
});

/** Folders in which Node looks for a package of the one at `place`, `a/node_modules/b` and up, each with its slash. */
function above(place: string): string[] {
  const parts = place === '' ? [] : place.split('/node_modules/');
  return [...parts.map((_, i) => `${parts.slice(0, i + 1).join('/node_modules/')}/`), ''];
}

function readIfThere(file: string): string {
  return files.includes(file) ? read(file) : '';
}
