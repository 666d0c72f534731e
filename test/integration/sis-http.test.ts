import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sisHttp } from '../../connectors/sis-http/connector.ts';
import { people, refusal, rowsOf, sisContext, sisServer, sisSettings, slice } from '../support/sis.ts';

describe('records', () => {
  test('give cells by paths: scalars, blanks, lists', async () => {
    const body = {
      'odd.name': [
        { id: 12345678901234567890n, on: true, none: null, list: ['a', null, 'b'], deep: [{ x: 1.5 }] },
        { id: 2, on: false, list: [] },
      ],
    };
    const text = JSON.stringify(body, (_key, value) => (typeof value === 'bigint' ? 'BIG' : value));
    const sis = await sisServer(() => ({ body: text.replace('"BIG"', '12345678901234567890') }));
    const context = sisContext(['id', 'on', 'none', 'list', 'deep.0.x']);
    expect(await rowsOf(sis.url, { records: 'odd\\.name' }, context)).toMatchObject([
      // no digit of a number is lost
      { cells: ['12345678901234567890', 'true', '', 'a\u001fb', '1.5'] },
      { cells: ['2', 'false', '', '', ''] },
    ]);
  });

  test('with a list inside give a row for each of its elements', async () => {
    const body = [
      { id: '1', courses: [{ code: 'A', title: 'Art' }, { code: 'B' }] },
      { id: '2', courses: [] },
      { id: '3' },
      { id: '4', courses: 'A' },
    ];
    const sis = await sisServer(() => ({ body }));
    const rows = await rowsOf(sis.url, { each: 'courses' }, sisContext(['id', 'courses.code', 'courses.title']));
    expect(rows.map((row) => ('cells' in row ? row.cells : row.broken))).toEqual([
      ['1', 'A', 'Art'],
      ['1', 'B', ''],
      ['2', '', ''],
      ['3', '', ''],
      'courses is a single value, no list',
    ]);
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ])('come packed as %s', async (packing, pack) => {
    const sis = await sisServer(() => ({
      headers: { 'content-encoding': packing },
      body: pack(JSON.stringify(people(3))),
    }));
    expect(await rowsOf(sis.url)).toHaveLength(3);
  });
});

describe('pages', () => {
  const all = people(25);

  test('by Link header', async () => {
    const sis = await sisServer(({ query }) => {
      const from = Number(query.get('from') ?? 0);
      const next =
        from + 10 < 25
          ? [`</x?from=0>; rel="first", </x?from=${from + 10}>; title="a, b"; rel=next`]
          : ['</x>; rel=first'];
      return { headers: { link: next }, body: all.slice(from, from + 10) };
    });
    expect(await rowsOf(`${sis.url}/x`, { paging: { kind: 'link' } })).toHaveLength(25);
  });

  test('by number', async () => {
    const sis = await sisServer(({ query }) => {
      const from = (Number(query.get('p')) - 1) * 10;
      return { body: { n: 25, data: all.slice(from, from + 10) } };
    });
    const more = { records: 'data', total: { path: 'n' }, concurrency: 2 };
    expect(await rowsOf(sis.url, { ...more, paging: { kind: 'page', page: 'p', size: 10 } })).toHaveLength(25);
  });

  test.each(['cursor', undefined])('by cursor, as parameter %s', async (parameter) => {
    const sis = await sisServer(({ query }) => {
      const from = Number(query.get('cursor') ?? 0);
      const next = from + 10 < 25 ? String(from + 10) : null;
      return {
        body: { data: all.slice(from, from + 10), next: parameter || next === null ? next : `/?cursor=${next}` },
      };
    });
    const paging = { kind: 'cursor', next: 'next', ...(parameter && { parameter }) };
    expect(await rowsOf(sis.url, { records: 'data', paging })).toHaveLength(25);
  });

  test('that lead back, or away, or nowhere', async () => {
    const sis = await sisServer(() => ({ headers: { link: '</>; rel=next' }, body: [] }));
    expect((await refusal(sis.url, { paging: { kind: 'link' } })).line).toContain(
      'leads on to one that was read already',
    );
    sis.rule = () => ({ headers: { link: '<https://evil.example/?token=1>; rel=next' }, body: people(1) });
    const away = await refusal(sis.url, { paging: { kind: 'link' } });
    expect([away.kind, away.line]).toEqual([
      'Denied',
      expect.stringContaining('to https://evil.example: the configured'),
    ]);
    // a page size that the server must have cut: one page is not taken for everybody
    sis.rule = () => ({ body: people(10) });
    const none = await refusal(sis.url, { paging: { kind: 'link', size: 10 } });
    expect([none.kind, none.line]).toEqual(['Incomplete', expect.stringContaining('whether there is another page')]);
    sis.rule = () => ({ body: { data: people(10) } });
    const cursor = await refusal(sis.url, { records: 'data', paging: { kind: 'cursor', next: 'meta.nxt' } });
    expect(cursor.line).toContain('the first answer has no meta.nxt');
  });

  test('of a server that does not know the parameters are noticed', async () => {
    const sis = await sisServer(() => ({ body: people(10) }));
    for (const kind of ['offset', 'page'])
      expect((await refusal(sis.url, { verify: 'first', paging: { kind, size: 10 } })).line).toContain(
        'came on page 1 already',
      );
  });
});

test('a probe says what there is, and no values', async () => {
  const sis = await sisServer(({ query }) => ({ body: { n: 25, data: slice(people(25), query) } }));
  const written = { url: `${sis.url}/x`, records: 'data', total: { path: 'n' }, paging: { kind: 'offset', size: 10 } };
  expect(await sisHttp.probe(sisSettings(written), sisContext(['id', 'mail']))).toEqual([
    `${sis.url}/x: 10 records on the first page, of 25 that the server declares`,
    'the first record has: id, name.given, name.family, email',
    'not in the first record: mail',
  ]);
});

test.each([
  [{}, 'records'],
  [{ records: '', url: 'http://sis.example.edu' }, 'https'],
  [{ records: '', url: 'https://a:b@sis.example.edu' }, 'no login in an address'],
  [{ records: '', verify: 'overlap' }, 'overlap needs'],
  [{ records: '', delta: 'on' }, 'needs preset'],
  [{ records: '', enrolments: 'all' }, 'needs preset'],
  [{ preset: 'oneroster-1.1', full: '1d' }, 'needs delta: on'],
  [
    { preset: 'oneroster-1.2', auth: { kind: 'oauth1', key: 'k', secret: { env: 'S' } } },
    'OAuth 2 client credentials only',
  ],
  [{ preset: 'oneroster-1.1', records: 'x' }, 'is given by preset'],
  [{ records: '', headers: { Host: 'x' } }, 'sets itself'],
  [{ records: '', auth: { kind: 'bearer', token: 'inline' } }, 'never written here'],
])('settings %j are refused', (written, said) => {
  expect(() => sisSettings({ url: 'https://sis.example.edu', ...written })).toThrow(said);
});
