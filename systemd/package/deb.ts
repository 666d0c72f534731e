import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { ar, bytesOf, type Entry, writeTar } from './archive.ts';

/** What a package says about itself. */
export interface About {
  version: string;
  description: string;
  /** As Node calls it. */
  arch: string;
  mtime: Date;
}

/** Whoever builds it; there is no address that anybody could write to about every institution's package. */
export const maintainer = 'Campus IT <root@localhost>';

/** As Debian calls what Node calls otherwise. */
const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  ppc64: 'ppc64el',
  s390x: 's390x',
};

/** The name of the .deb file. */
export const debName = ({ version, arch }: About): string => `rosterd_${version}_${debianArch(arch)}.deb`;

/**
 * Writes the .deb: deb(5) is an ar file with two tar files in it, so that it comes out the same on every machine, also on
 * one without dpkg. zstd is read by dpkg 1.21.18 (Debian 12, Ubuntu 22.04) and newer, and packed in a fifth of gzip's time.
 */
export async function writeDeb(file: string, entries: readonly Entry[], scripts: string, about: About): Promise<void> {
  const { mtime } = about;
  const [controlTar, dataTar] = [`${file}.control`, `${file}.data`];
  try {
    await writeTar(dataTar, entries, {
      prefix: './',
      mtime,
      packer: createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } }),
    });
    await writeTar(controlTar, control(entries, scripts, about), { prefix: './', mtime, packer: createGzip() });
    const members = [
      { name: 'debian-binary', bytes: Buffer.from('2.0\n') },
      { name: 'control.tar.gz', bytes: readFileSync(controlTar) },
      { name: 'data.tar.zst', bytes: readFileSync(dataTar) },
    ];
    writeFileSync(file, ar(members, mtime));
  } finally {
    for (const part of [controlTar, dataTar]) rmSync(part, { force: true });
  }
}

function control(entries: readonly Entry[], scripts: string, about: About): Entry[] {
  const files = entries.flatMap((entry) => (entry.kind === 'file' ? [{ ...entry, bytes: bytesOf(entry.from) }] : []));
  const kilobytes = files.reduce((sum, { bytes }) => sum + Math.ceil(bytes.length / 1024), 0);
  const fields = [
    'Package: rosterd',
    `Version: ${about.version}`,
    `Architecture: ${debianArch(about.arch)}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${kilobytes}`,
    // what the Node inside is linked against; systemd-sysusers and systemd-tmpfiles are part of systemd
    'Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 9), init-system-helpers (>= 1.54), systemd (>= 247)',
    'Suggests: bash-completion',
    'Section: admin',
    'Priority: optional',
    'Description: keeps a campus in step',
    ...folded(about.description),
  ];
  const text = (path: string, said: string, mode = 0o644): Entry => ({
    kind: 'file',
    path,
    mode,
    from: Buffer.from(said),
  });
  const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');
  return [
    text('control', `${fields.join('\n')}\n`),
    text('conffiles', files.flatMap(({ path }) => (path.startsWith('etc/') ? [`/${path}\n`] : [])).join('')),
    text('md5sums', files.map(({ path, bytes }) => `${md5(bytes)}  ${path}\n`).join('')),
    ...['postinst', 'postrm', 'prerm'].map(
      (name): Entry => ({ kind: 'file', path: name, mode: 0o755, from: join(scripts, name) }),
    ),
  ];
}

/** A text in lines of at most 79 letters, each behind a space. */
function folded(text: string): string[] {
  return text.match(/\S.{0,76}\S(?=\s|$)/g)?.map((line) => ` ${line}`) ?? [];
}

function debianArch(arch: string): string {
  const name = architectures[arch];
  if (!name) throw new Error(`no Debian package for ${arch}: the Node inside would not run there`);
  return name;
}
