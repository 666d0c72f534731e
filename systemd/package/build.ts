import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import { writeTar } from './archive.ts';
import { debName, writeDeb } from './deb.ts';
import { helpOf } from './help.ts';
import { stage } from './stage.ts';

/**
 * `npm run package`: the .deb and the tarball, with all that rosterd needs, Node included. The same commit gives the same
 * bytes. `--out DIR` puts them elsewhere, `--package-version V` gives them another version, `--deb` leaves out the tarball.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
  'version' | 'description',
  string
>;
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'dist/package') },
    'package-version': { type: 'string', default: manifest.version },
    deb: { type: 'boolean', default: false },
  },
});

/** The time in every file: that of the commit, unless SOURCE_DATE_EPOCH says another. */
function time(): Date {
  const said =
    process.env['SOURCE_DATE_EPOCH'] ??
    execFileSync('git', ['-c', 'safe.directory=*', 'log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  if (!/^\d+\s*$/.test(said)) throw new Error('SOURCE_DATE_EPOCH has to be a number of seconds');
  return new Date(Number(said) * 1000);
}

const { out, 'package-version': version, deb } = values;
const mtime = time();
mkdirSync(out, { recursive: true });
// inside the checkout, where the packages are found; of its own, so that nothing stale gets in
const work = join(root, `dist/package-${process.pid}`);
const compiled = join(work, 'compiled');
try {
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/.bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', compiled],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const helps = await helpOf(process.execPath, join(compiled, 'src/main.js'), join(work, 'cache'));
  const node = resolve(dirname(fileURLToPath(import.meta.resolve('node/package.json'))), 'bin/node');
  const entries = stage({ root, compiled, node, helps, version, mtime });
  const about = { version, description: manifest.description, arch: process.arch, mtime };
  const files = [join(out, debName(about))];
  await writeDeb(files[0]!, entries, join(root, 'systemd/package/scripts'), about);
  if (!deb) {
    const name = `rosterd-${version}-${process.platform}-${process.arch}`;
    files.push(join(out, `${name}.tar.gz`));
    const withoutFolders = entries.filter(({ kind }) => kind !== 'folder');
    await writeTar(files[1]!, withoutFolders, { prefix: `${name}/`, mtime, packer: createGzip() });
  }
  for (const file of files) {
    const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
    process.stdout.write(`${sum}  ${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
