import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { digestOf, type Encoding, transcode } from '../../../../src/connector/csv/transcode.ts';
import { drop, failure, temporaryFolder } from '../../../support/drop.ts';

const { signal } = new AbortController();

async function opened(content: Buffer): Promise<{ handle: FileHandle; name: string; bytes: number }> {
  const handle = await open(drop(temporaryFolder(), 'x.csv', content));
  onTestFinished(() => handle.close());
  return { handle, name: 'x.csv', bytes: content.length };
}

async function inUtf8(content: Buffer, encoding: Encoding): Promise<string> {
  const target = await open(join(temporaryFolder(), 'x.utf8'), 'w+');
  onTestFinished(() => target.close());
  const bytes = await transcode(await opened(content), encoding, target, signal);
  const text = await target.readFile('utf8');
  expect(Buffer.byteLength(text)).toBe(bytes);
  return text;
}

const bigEndian = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

test('UTF-16 goes by its byte order mark, and is little endian without one', async () => {
  const text = 'id,name\n1,Zoë €😀\n';
  expect(await inUtf8(Buffer.from(`\ufeff${text}`, 'utf16le'), 'utf-16')).toBe(text);
  expect(await inUtf8(bigEndian(`\ufeff${text}`), 'utf-16')).toBe(text);
  expect(await inUtf8(Buffer.from(text, 'utf16le'), 'utf-16')).toBe(text);
});

test('characters that fall on the ends of chunks survive', async () => {
  const text = `x${'😀'.repeat(800_000)}`;
  expect((await inUtf8(Buffer.from(text, 'utf16le'), 'utf-16')) === text).toBe(true);
});

test('windows-1252 has its own characters where Latin-1 has control characters', async () => {
  expect(await inUtf8(Buffer.from('M\xfcller,\x80 5,\x93x\x94 \x9c\x9f\n', 'latin1'), 'windows-1252')).toBe(
    'Müller,€ 5,“x” œŸ\n',
  );
});

test('bytes without a meaning make the file incomplete, and are told with their place', async () => {
  const undefinedByte = await failure(inUtf8(Buffer.from('abc\x81', 'latin1'), 'windows-1252'));
  expect(undefinedByte).toEqual({ kind: 'Incomplete', line: expect.stringMatching(/byte 3 is 0x81/) });
  const far = Buffer.concat([Buffer.alloc(2 ** 20 + 5, 'a'), Buffer.from([0x9d])]);
  expect((await failure(inUtf8(far, 'windows-1252'))).line).toMatch(/byte 1048581 is 0x9d/);
  const half = await failure(inUtf8(Buffer.from([0x41, 0x00, 0x42]), 'utf-16'));
  expect(half).toEqual({ kind: 'Incomplete', line: expect.stringMatching(/not valid utf-16, between bytes 0 and 3/) });
  const loneSurrogate = Buffer.from('a\ud83db', 'utf16le');
  expect((await failure(inUtf8(loneSurrogate, 'utf-16'))).kind).toBe('Incomplete');
});

test('the digest is that of the bytes as they are, and every byte is reported', async () => {
  const content = Buffer.alloc(3 * 2 ** 20 + 7, 'x\xff');
  const { handle, name, bytes } = await opened(content);
  let told = 0;
  const digest = await digestOf(handle, name, bytes, signal, (done) => {
    told = done;
  });
  expect(digest).toBe(createHash('sha256').update(content).digest('hex'));
  expect(told).toBe(bytes);
  expect((await failure(digestOf(handle, name, bytes + 1, signal))).line).toMatch(/changed while it was read/);
});
