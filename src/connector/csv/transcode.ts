import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Incomplete } from '../../base/errors.ts';
import { changed } from './scan.ts';

/** What the bytes of a file mean, and its digest: both are one pass over the bytes as the source gave them. */

/** Encodings that a drop may have. */
export type Encoding = 'utf-8' | 'utf-16' | 'windows-1252';

const CHUNK = 2 ** 20;

/** Gives the bytes of a file chunk by chunk; while one is worked on, the next one is on its way from the disk. */
async function* chunks(handle: FileHandle, name: string, bytes: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const buffers = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)] as const;
  const read = (turn: number, offset: number) =>
    handle.read(buffers[(turn % 2) as 0 | 1], 0, Math.min(CHUNK, bytes - offset), offset);
  let offset = 0;
  let next = bytes > 0 ? read(0, 0) : undefined;
  for (let turn = 1; next; turn++) {
    const { bytesRead, buffer } = await next;
    signal.throwIfAborted();
    if (bytesRead === 0) throw changed(name);
    offset += bytesRead;
    next = offset < bytes ? read(turn, offset) : undefined;
    // a read that fails while the consumer throws must not be an unhandled rejection
    next?.catch(() => {});
    yield buffer.subarray(0, bytesRead);
  }
}

/** Hex SHA-256 of a file's first `bytes` bytes. */
export async function digestOf(
  handle: FileHandle,
  name: string,
  bytes: number,
  signal: AbortSignal,
  onBytes: (done: number) => void = () => {},
): Promise<string> {
  const hash = createHash('sha256');
  let done = 0;
  for await (const chunk of chunks(handle, name, bytes, signal)) {
    hash.update(chunk);
    done += chunk.length;
    onBytes(done);
  }
  return hash.digest('hex');
}

/** Writes the file as UTF-8 (without a byte order mark) into `target`; gives the number of bytes written. */
export async function transcode(
  source: { handle: FileHandle; name: string; bytes: number },
  encoding: Encoding,
  target: FileHandle,
  signal: AbortSignal,
): Promise<number> {
  const decode = decoderFor(encoding, source.name);
  let written = 0;
  let read = 0;
  for await (const chunk of chunks(source.handle, source.name, source.bytes, signal)) {
    read += chunk.length;
    const text = Buffer.from(decode(chunk, read >= source.bytes), 'utf8');
    for (let at = 0; at < text.length; )
      at += (await target.write(text, at, text.length - at, written + at)).bytesWritten;
    written += text.length;
  }
  return written;
}

/** Turns chunks into text, strictly: a byte that means nothing makes the file `Incomplete`, with its place. */
export function decoderFor(encoding: Encoding, name: string): (chunk: Buffer, last: boolean) => string {
  return encoding === 'windows-1252' ? windows1252(name) : unicode(encoding, name);
}

function unicode(encoding: 'utf-8' | 'utf-16', name: string): (chunk: Buffer, last: boolean) => string {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let offset = 0;
  return (chunk, last) => {
    decoder ??= new TextDecoder(encoding === 'utf-8' ? encoding : byteOrderOf(chunk), { fatal: true });
    try {
      const text = decoder.decode(chunk, { stream: !last });
      offset += chunk.length;
      return text;
    } catch (cause) {
      throw new Incomplete(`${name} is not valid ${encoding}, between bytes ${offset} and ${offset + chunk.length}`, {
        remedy: 'set encoding to what the exporter writes, or fetch a whole file',
        cause,
      });
    }
  };
}

/** The byte order mark decides; without one little endian, which is what Windows writes. */
function byteOrderOf(start: Buffer): 'utf-16le' | 'utf-16be' {
  return start[0] === 0xfe && start[1] === 0xff ? 'utf-16be' : 'utf-16le';
}

/** 0x80 to 0x9f of windows-1252; a space where the code page has no character. */
const UPPER = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';

/**
 * Windows-1252 by hand: TextDecoder takes the five bytes without a character for control characters, and a file that
 * has them is in another encoding.
 */
function windows1252(name: string): (chunk: Buffer, last: boolean) => string {
  let offset = 0;
  return (chunk) => {
    const text = chunk.toString('latin1').replace(/[\x80-\x9f]/g, (character: string, at: number) => {
      const mapped = UPPER[character.charCodeAt(0) - 0x80]!;
      if (mapped !== ' ') return mapped;
      const byte = `0x${character.charCodeAt(0).toString(16)}`;
      throw new Incomplete(`${name} is not windows-1252: byte ${offset + at} is ${byte}, which has no character`, {
        remedy: 'set encoding to what the exporter writes',
      });
    });
    offset += chunk.length;
    return text;
  };
}
