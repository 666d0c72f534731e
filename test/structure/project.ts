import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the structure tests look at: the files of the project, and who imports whom. */

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The text of a file of the project. */
export const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Every file of the project, tracked or about to be, relative to the root, with `/`. */
export const files: readonly string[] = listed().filter((file) => existsSync(join(root, file)));

/** TypeScript of the product itself. */
export const sources = files.filter((file) => /^(src|connectors)\/.*\.ts$/.test(file));

/** Names of the folders of `connectors/`. */
export const connectorFolders = readdirSync(join(root, 'connectors'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

export interface Import {
  from: string;
  /** A file of ours relative to the root, or `node:…`, or the name of a package. */
  to: string;
  ours: boolean;
  /** Gone at run time: `import type`. */
  typeOnly: boolean;
}

/** Every import and re-export of a file, also those inside a function. */
export function importsOf(file: string): Import[] {
  const text = withoutComments(read(file));
  const statements = text.matchAll(
    /^(?:import|export(?= (?:type )?[{*]))(?<type> type)?\b(?:[^;'`=()]*?\bfrom)? '(?<what>[^']+)'(?: with \{[^}]*\})?;/gm,
  );
  const calls = text.matchAll(/(?<type>(?!))?\b(?:import|require)\(\s*'(?<what>[^']+)'/g);
  return [...statements, ...calls].map(({ groups }) => {
    const what = groups!['what']!;
    const ours = what.startsWith('.');
    const to = ours
      ? relative(root, resolve(root, dirname(file), what))
          .split(sep)
          .join('/')
      : packageOf(what);
    return { from: file, to, ours, typeOnly: groups!['type'] !== undefined };
  });
}

/** `@scope/name/deep` is `@scope/name`, `name/deep` is `name`; built-in modules stay as they are. */
function packageOf(what: string): string {
  if (what.startsWith('node:')) return what;
  return what
    .split('/')
    .slice(0, what.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The same lines without what is in comments that stand on lines of their own or end a line. */
export function withoutComments(text: string): string {
  return text
    .replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/(^|[\s;,{(])\/\/ .*$/gm, '$1');
}

function listed(): string[] {
  try {
    // a checkout of another user is still a checkout
    const git = ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const found = execFileSync('git', git, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    if (found) return [...new Set(found.split('\0').filter(Boolean))].sort();
  } catch {
    // no git here, or not a checkout: an unpacked archive
  }
  const ignored = new Set([
    '.git',
    ...read('.gitignore')
      .split('\n')
      .map((line) => line.replace(/\/$/, '')),
  ]);
  const walk = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => !ignored.has(entry.name) && !entry.name.endsWith('.log'))
      .flatMap((entry) => (entry.isDirectory() ? walk(`${folder}${entry.name}/`) : [`${folder}${entry.name}`]));
  return walk('').sort();
}
