import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Entry } from './archive.ts';
import { completion } from './completion.ts';
import { maintainer } from './deb.ts';
import type { Help } from './help.ts';
import { manual } from './manual.ts';

/** What goes where. Everything is a path below `/`; the tarball has the same tree. */

/** What the package is made of. */
export interface Parts {
  root: string;
  /** What the compiler made of src and connectors. */
  compiled: string;
  node: string;
  helps: readonly Help[];
  version: string;
  mtime: Date;
}

const lib = 'usr/lib/rosterd';
const doc = 'usr/share/doc/rosterd';
const manifest = `${lib}/dist/package.json`;

/** Native parts of ssh2 that npm is told not to build (`allowScripts`); it does without. */
const native = new Set(['cpu-features', 'buildcheck', 'nan']);
/** In packages, and of no use to who runs them: types, pages, scripts and settings of who works on them. */
const useless = /\.(d\.[cm]?ts|map|tsbuildinfo|html|sh)$|\/\./;
/** Parts for systems that the Node inside does not run on. */
const foreign = /\/musl_[^/]*\//;
/** What was built here would make the package this machine's own; what came built from the registry is elsewhere. */
const built = /\/build\/.*\.node$/;

/** Every file, sorted by path, with the folders above it. */
export function stage(parts: Parts): Entry[] {
  const { root } = parts;
  const own = (path: string, from: string, mode = 0o644): Entry => ({
    kind: 'file',
    path,
    mode,
    from: join(root, from),
  });
  const made = (path: string, text: string | Buffer): Entry => ({
    kind: 'file',
    path,
    mode: 0o644,
    from: Buffer.from(text),
  });
  const packed = (path: string, text: string): Entry => made(`${path}.gz`, gzipSync(text, { level: 9 }));
  const { name, type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const files = [
    own('usr/bin/rosterd', 'systemd/package/rosterd.sh', 0o755),
    { kind: 'file', path: `${lib}/bin/node`, mode: 0o755, from: parts.node } satisfies Entry,
    // beside the code, where it is asked for its version; the compiler's copy knows none of --package-version
    made(manifest, `${JSON.stringify({ name, version: parts.version, private: true, type })}\n`),
    ...below(parts.compiled, `${lib}/dist`).filter(({ path }) => path !== manifest),
    ...dependencies(root).flatMap((place) => below(join(root, place), `${lib}/${place}`)),
    own('usr/lib/systemd/system/rosterd.service', 'systemd/rosterd.service'),
    own('usr/lib/sysusers.d/rosterd.conf', 'systemd/rosterd.sysusers'),
    own('usr/lib/tmpfiles.d/rosterd.conf', 'systemd/rosterd.tmpfiles'),
    made('etc/rosterd/rosterd.yaml.example', example(readFileSync(join(root, 'config/rosterd.example.yaml'), 'utf8'))),
    own('usr/share/rosterd/rosterd.schema.json', 'config/schemas/rosterd.schema.json'),
    packed('usr/share/man/man8/rosterd.8', manual(parts.helps, { version: parts.version, date: parts.mtime })),
    made('usr/share/bash-completion/completions/rosterd', completion(parts.helps)),
    own(`${doc}/README.md`, 'README.md'),
    ...readdirSync(join(root, 'connectors'))
      .filter((kind) => !kind.includes('.'))
      .map((kind) => own(`${doc}/connectors/${kind}/README.md`, `connectors/${kind}/README.md`)),
    made(`${doc}/copyright`, copyright(parts.mtime)),
    packed(`${doc}/changelog`, changelog(parts.version, parts.mtime)),
  ];
  const folders = new Set(files.flatMap(({ path }) => above(path)));
  return [...files, ...[...folders].map((path): Entry => ({ kind: 'folder', path: `${path}/`, mode: 0o755 }))].sort(
    (a, b) => (a.path < b.path ? -1 : 1),
  );
}

const copyright = (date: Date): string => `Copyright ${date.getUTCFullYear()} the authors of rosterd.
rosterd is not for distribution outside the institution that runs it.
The Node in /usr/lib/rosterd/bin has the licence at https://github.com/nodejs/node/blob/main/LICENSE.
Packages in /usr/lib/rosterd/node_modules carry their licences in their folders.
`;

/** deb-changelog(5): this version alone, for what changed is in the history of the checkout. */
function changelog(version: string, date: Date): string {
  const at = date.toUTCString().replace('GMT', '+0000');
  return `rosterd (${version}) stable; urgency=medium\n\n  * Version ${version}.\n\n -- ${maintainer}  ${at}\n`;
}

function above(path: string): string[] {
  const folder = posix.dirname(path);
  return folder === '.' ? [] : [...above(folder), folder];
}

function below(folder: string, to: string): Entry[] {
  return (
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => ![useless, built, foreign].some((kind) => kind.test(file.slice(folder.length))))
      // packages inside packages are listed for themselves
      .filter((file) => !file.slice(folder.length).includes('/node_modules/'))
      .map((file) => ({ kind: 'file', path: to + file.slice(folder.length), mode: 0o644, from: file }))
  );
}

/** Places of the packages that the product needs, as the lock file has them. */
function dependencies(root: string): string[] {
  type Lock = { packages: Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }> };
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  return (
    Object.entries(packages)
      .filter(([place, { dev, devOptional }]) => place !== '' && !dev && !devOptional)
      // parts for other platforms are in the lock file and not on the disk
      .filter(([place, { optional }]) => !optional || existsSync(join(root, place)))
      .map(([place]) => place)
      .filter((place) => !place.includes('node_modules/@types/'))
      .filter((place) => !native.has(place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)))
  );
}

/** The example of the checkout with the paths of an installed system. */
function example(text: string): string {
  const changes = [
    ['$schema=schemas/', '$schema=/usr/share/rosterd/'],
    ['stateDir: ./var\n', 'stateDir: /var/lib/rosterd\n'],
    ['./var/control.sock', '/var/lib/rosterd/control.sock'],
  ] as const;
  return changes.reduce((so, [from, to]) => {
    if (so.split(from).length !== 2) throw new Error(`config/rosterd.example.yaml does not have "${from.trim()}" once`);
    return so.replace(from, to);
  }, text);
}
