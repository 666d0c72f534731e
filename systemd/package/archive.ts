import { createWriteStream, readFileSync } from 'node:fs';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** A file, a folder or a link of a package. */
export type Entry = { path: string; mode: number } & (
  | { kind: 'file'; from: string | Buffer }
  | { kind: 'folder' }
  | { kind: 'link'; to: string }
);

/** The bytes of a file: those at hand, or those on the disk. */
export const bytesOf = (from: string | Buffer): Buffer => (typeof from === 'string' ? readFileSync(from) : from);

/** Writes entries as a packed tar file. The same entries and time give the same bytes: owner, order and times are fixed. */
export async function writeTar(
  file: string,
  entries: readonly Entry[],
  how: { prefix: string; mtime: Date; packer: Transform },
): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, how.packer, createWriteStream(file));
  const owner = { uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: how.mtime };
  const add = async (entry: Entry): Promise<void> => {
    const header = { ...owner, name: how.prefix + entry.path, mode: entry.mode };
    if (entry.kind === 'folder') tar.entry({ ...header, type: 'directory' });
    else if (entry.kind === 'link') tar.entry({ ...header, type: 'symlink', linkname: entry.to });
    else
      await new Promise<void>((resolve, reject) => {
        tar.entry({ ...header, type: 'file' }, bytesOf(entry.from), (error) => (error ? reject(error) : resolve()));
      });
  };
  const added = (async () => {
    for (const entry of entries) await add(entry);
    tar.finalize();
  })();
  await Promise.all([added, written]);
}

/** The container of a .deb, ar(5): short names, a decimal size in front of each member, padded to even. */
export function ar(members: readonly { name: string; bytes: Buffer }[], mtime: Date): Buffer {
  const seconds = String(mtime.getTime() / 1000);
  const parts = members.flatMap(({ name, bytes }) => {
    const head = [name.padEnd(16), seconds.padEnd(12), '0'.padEnd(6), '0'.padEnd(6), '100644'.padEnd(8)];
    return [
      Buffer.from(`${head.join('')}${String(bytes.length).padEnd(10)}\`\n`),
      bytes,
      Buffer.alloc(bytes.length % 2, '\n'),
    ];
  });
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}
