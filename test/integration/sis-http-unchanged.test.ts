import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SourceContext } from '../../src/connector/source.ts';
import { readAll, temporaryFolder } from '../support/drop.ts';
import { columns, people, pulledSis, type Rule, refusal, sisContext, sisServer, sisSettings } from '../support/sis.ts';

describe('an answer that has not changed', () => {
  const text = JSON.stringify(people(3));
  const etag = `"${createHash('sha256').update(text).digest('hex')}"`;
  const named: Rule = ({ headers }) => {
    const known = { etag, 'last-modified': 'Thu, 15 Jan 2026 02:15:10 GMT' };
    return headers['if-none-match'] === etag ? { status: 304, headers: known } : { headers: known, body: text };
  };

  async function kept(more: Partial<SourceContext> = {}) {
    const sis = await sisServer(named);
    const keepDir = join(temporaryFolder(), 'keep');
    const settings = sisSettings({ url: sis.url, records: '', key: 'id' });
    const first = await pulledSis(settings, sisContext(columns, { keepDir }));
    expect(readdirSync(join(keepDir, '..'))).toEqual([]);
    await first.accepted();
    const again = (changes: Partial<SourceContext> = {}) =>
      pulledSis(settings, sisContext(columns, { keepDir, lastContent: first.content, ...more, ...changes }));
    return { sis, first, again, keepDir };
  }

  test('is not sent again, and is the same answer', async () => {
    const { sis, first, again } = await kept();
    expect(first.parts[0]!.modified).toBe('2026-01-15T02:15:10.000Z');
    const second = await again();
    expect(sis.asked[1]!.headers).toMatchObject({ 'if-none-match': etag, 'if-modified-since': /2026/ });
    expect([second.content, second.parts]).toEqual([first.content, first.parts]);
    expect(await readAll(second)).toEqual(await readAll(first));
    await second.accepted();
    expect((await again()).content).toBe(first.content);
  });

  test('is asked for whole when what was kept is not of the snapshot in force, of other columns, or damaged', async () => {
    const { sis, first, again, keepDir } = await kept();
    const conditional = () => 'if-none-match' in sis.asked.at(-1)!.headers;
    await again({ lastContent: 'another' });
    expect(conditional()).toBe(false);
    await again({ columns: { required: ['id'], optional: [], exact: false } });
    expect(conditional()).toBe(false);
    await again({ keepDir: join(keepDir, 'gone') });
    expect(conditional()).toBe(false);
    mkdirSync(keepDir, { recursive: true });
    writeFileSync(join(keepDir, `${first.content}.rows`), 'x'.repeat(10_000));
    await again();
    expect(conditional()).toBe(false);
  });

  test('is named by its time only when that is long past: seconds are too coarse', async () => {
    const sis = await sisServer(() => ({ headers: { 'last-modified': new Date().toUTCString() }, body: text }));
    const keepDir = join(temporaryFolder(), 'keep');
    const settings = sisSettings({ url: sis.url, records: '', key: 'id' });
    const first = await pulledSis(settings, sisContext(columns, { keepDir }));
    await first.accepted();
    await pulledSis(settings, sisContext(columns, { keepDir, lastContent: first.content }));
    expect(sis.asked[1]!.headers).not.toHaveProperty('if-modified-since');
  });

  test('is no longer kept once the server gives it no name', async () => {
    const { sis, again, keepDir } = await kept();
    sis.rule = () => ({ body: JSON.stringify(people(4)) });
    await (await again()).accepted();
    expect(existsSync(keepDir)).toBe(false);
  });

  test('without having been asked for so is no answer', async () => {
    const sis = await sisServer(() => ({ status: 304 }));
    expect((await refusal(sis.url)).kind).toBe('Incomplete');
  });
});
