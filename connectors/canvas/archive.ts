import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';

/** One file of an archive. Its chunks may be asked for twice, and are the same each time. */
export interface Entry<C> {
  name: string;
  chunks(): C;
}

/** The same files make the same bytes: a zip says when its files were made, so all say the same. */
const made = '1980-01-01T00:00:00';

/** Canvas refuses an archive that unpacks to 100 times its size; what packs half as well goes unpacked. */
const packsTooWell = 50;

/** A zip that is being written: chunks go in, what comes out is waiting. */
class Writer {
  #waiting: Uint8Array[] = [];
  #entry: ZipDeflate | ZipPassThrough | null = null;
  readonly #zip = new Zip((error, chunk) => {
    if (error) throw error;
    this.#waiting.push(chunk);
  });
  readonly #pack: boolean;
  plain = 0;
  packed = 0;

  constructor(pack: boolean) {
    this.#pack = pack;
  }

  begin(name: string): void {
    this.#entry?.push(new Uint8Array(), true);
    this.#entry = this.#pack ? new ZipDeflate(name, { level: 6 }) : new ZipPassThrough(name);
    this.#entry.mtime = made;
    this.#zip.add(this.#entry);
  }

  push(chunk: Uint8Array): void {
    this.plain += chunk.length;
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
}

/** The whole archive at once. Byte for byte what `zipToFile` writes of the same chunks. */
export function zipBytes(entries: readonly Entry<Iterable<Uint8Array>>[], pack = true): Uint8Array {
  const writer = new Writer(pack);
  for (const { name, chunks } of entries) {
    writer.begin(name);
    for (const chunk of chunks()) writer.push(chunk);
  }
  writer.end();
  const bytes = Buffer.concat(writer.take());
  return writer.tooWell ? zipBytes(entries, false) : bytes;
}

/** Writes the archive to a file, piece by piece, and gives its SHA-256. */
export async function zipToFile(
  file: string,
  entries: readonly Entry<Iterable<Uint8Array> | AsyncIterable<Uint8Array>>[],
  pack = true,
): Promise<string> {
  const writer = new Writer(pack);
  const hash = createHash('sha256');
  const handle = await open(file, 'w', 0o600);
  const write = async (): Promise<void> => {
    for (const chunk of writer.take()) {
      hash.update(chunk);
      await handle.appendFile(chunk);
    }
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
  return writer.tooWell ? zipToFile(file, entries, false) : hash.digest('hex');
}

const pieceOf = 64 * 1024;

/** A text in pieces. */
export function* pieces(text: string): Generator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceOf) yield bytes.subarray(at, at + pieceOf);
}

/** A file in pieces: those of its text. */
export function filePieces(file: string): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: pieceOf });
}
