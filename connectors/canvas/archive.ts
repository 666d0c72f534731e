import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { Zip, ZipPassThrough } from 'fflate';

/** One file of an archive. Its chunks may be asked for twice, and are the same each time. */
export interface Entry<C> {
  name: string;
  chunks(): C;
}

/** The same files make the same bytes: a zip says when its files were made, so all say the same. */
const made = '1980-01-01T00:00:00';

/** Canvas refuses an archive that unpacks to 100 times its size; what packs half as well goes unpacked. */
const packsTooWell = 50;

/** A file of an archive, packed by zlib: each chunk ends with a whole byte, so that one may follow the other. */
class PackedFile extends ZipPassThrough {
  override compression = 8;

  protected override process(chunk: Uint8Array<ArrayBuffer>, last: boolean): void {
    const { Z_FINISH, Z_SYNC_FLUSH } = constants;
    this.ondata(null, deflateRawSync(chunk, { finishFlush: last ? Z_FINISH : Z_SYNC_FLUSH }), last);
  }
}

/** A zip that is being written: chunks go in, what comes out is waiting. */
class Writer {
  #waiting: Uint8Array[] = [];
  #entry: ZipPassThrough | null = null;
  readonly #zip = new Zip((error, chunk) => {
    if (error) throw error;
    this.#waiting.push(chunk);
  });
  readonly #pack: boolean;
  readonly #hash = createHash('sha256');
  plain = 0;
  packed = 0;

  constructor(pack: boolean) {
    this.#pack = pack;
  }

  begin(name: string): void {
    this.#hash.update(name);
    this.#entry?.push(new Uint8Array(), true);
    this.#entry = this.#pack ? new PackedFile(name) : new ZipPassThrough(name);
    this.#entry.mtime = made;
    this.#zip.add(this.#entry);
  }

  push(chunk: Uint8Array): void {
    this.plain += chunk.length;
    this.#hash.update(chunk);
    this.#entry!.push(chunk);
  }

  end(): void {
    this.#entry?.push(new Uint8Array(), true);
    this.#zip.end();
  }

  take(): Uint8Array[] {
    const taken = this.#waiting;
    this.#waiting = [];
    for (const { length } of taken) this.packed += length;
    return taken;
  }

  get tooWell(): boolean {
    return this.#pack && this.plain >= this.packed * packsTooWell;
  }

  /** Of what is in it: how well it packs is the matter of a processor and of a version of zlib. */
  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** The whole archive at once, with its digest. Byte for byte what `zipToFile` writes of the same chunks. */
export function zipBytes(
  entries: readonly Entry<Iterable<Uint8Array>>[],
  pack = true,
): { bytes: Uint8Array; digest: string } {
  const writer = new Writer(pack);
  for (const { name, chunks } of entries) {
    writer.begin(name);
    for (const chunk of chunks()) writer.push(chunk);
  }
  writer.end();
  const bytes = Buffer.concat(writer.take());
  return writer.tooWell ? zipBytes(entries, false) : { bytes, digest: writer.digest() };
}

/** Writes the archive to a file, piece by piece, and gives the digest of what is in it. */
export async function zipToFile(
  file: string,
  entries: readonly Entry<Iterable<Uint8Array> | AsyncIterable<Uint8Array>>[],
  pack = true,
): Promise<string> {
  const writer = new Writer(pack);
  const handle = await open(file, 'w', 0o600);
  const write = async (): Promise<void> => {
    for (const chunk of writer.take()) await handle.appendFile(chunk);
  };
  try {
    for (const { name, chunks } of entries) {
      writer.begin(name);
      for await (const chunk of chunks()) {
        writer.push(chunk);
        await write();
      }
    }
    writer.end();
    await write();
  } finally {
    await handle.close();
  }
  return writer.tooWell ? zipToFile(file, entries, false) : writer.digest();
}

const pieceOf = 256 * 1024;

/** A text in pieces. */
export function* pieces(text: string): Generator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceOf) yield bytes.subarray(at, at + pieceOf);
}

/** A file in pieces: those of its text. */
export function filePieces(file: string): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: pieceOf });
}
