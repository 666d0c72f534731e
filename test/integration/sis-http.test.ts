import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sisHttp } from '../../connectors/sis-http/connector.ts';
import { people, type Rule, refusal, rowsOf, sisContext, sisServer, sisSettings, slice } from '../support/sis.ts';

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

  /** A server that gives ten at most, whatever is asked for, and says where there are more in its own way. */
  const capped =
    (say: (next: number | null, query: URLSearchParams) => { headers?: Record<string, string>; body?: object }): Rule =>
    ({ query }) => {
      const from = Number(query.get('from') ?? 0);
      const data = all.slice(from, from + Math.min(Number(query.get('limit') ?? 10), 10));
      const next = from + data.length < 25 ? from + data.length : null;
      const { headers = {}, body = {} } = say(next, query);
      return { headers, body: { data, ...body } };
    };
  const cursor = { kind: 'cursor', next: 'meta.next', parameter: 'from' };

  test.each<[string, object, Rule]>([
    ['a cursor elsewhere', cursor, capped((next) => ({ body: { meta: { next_cursor: next } } }))],
    ['no Link header', { kind: 'link' }, capped(() => ({}))],
  ])('of a server that cuts the size: one with %s is not taken for everybody', async (_what, paging, rule) => {
    const sis = await sisServer(rule);
    for (const size of [undefined, 10, 500]) {
      const { kind, line } = await refusal(sis.url, { records: 'data', paging: { ...paging, size } });
      expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('whether there is another page')]);
      expect(line).toContain('correct paging; for a server that leaves it out on the last page give total');
    }
  });

  test('of a server whose Link header leads on for ever end with the total, and are no answer without one', async () => {
    const rule: Rule = ({ query }) => {
      const page = Number(query.get('page') ?? 1);
      const headers = { link: `</s?page=${page + 1}>; rel="next"`, 'x-total-count': '5' };
      return { headers, body: { data: page === 1 ? people(3) : page === 2 ? people(5).slice(3) : [] } };
    };
    const sis = await sisServer(rule);
    const paging = { kind: 'page', page: 'page' };
    expect(await rowsOf(sis.url, { records: 'data', paging, total: { header: 'X-Total-Count' } })).toHaveLength(5);
    sis.asked.length = 0;
    const { kind, line } = await refusal(sis.url, { records: 'data', paging });
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('10th in a row without a record')]);
    expect(sis.asked.length).toBeLessThan(20);
  });

  test.each<[string, object, Rule]>([
    ['cursor', cursor, capped((next) => (next === null ? {} : { body: { meta: { next } } }))],
    [
      'Link header',
      { kind: 'link' },
      capped((next) => (next === null ? {} : { headers: { link: `</?from=${next}&limit=10>; rel="next"` } })),
    ],
  ])(
    'of a server that has no %s on the last one, which is the first, are whole with size',
    async (_w, paging, rule) => {
      const small: Rule = (asked, response) => {
        if (!asked.query.has('from')) asked.query.set('from', '20');
        return rule(asked, response);
      };
      const sis = await sisServer(small);
      expect(await rowsOf(sis.url, { records: 'data', paging: { ...paging, size: 500 } })).toHaveLength(5);
      // one fewer than came was asked for, and then there was a next page
      expect(sis.asked.map(({ query }) => query.get('limit'))).toEqual(['500', '4']);
      sis.rule = rule;
      expect(await rowsOf(sis.url, { records: 'data', paging: { ...paging, size: 500 } })).toHaveLength(25);
    },
  );

  test.each(['none', 'link', 'offset', 'page'])(
    'of a server whose Link header says that the last one is another: the first is not everybody (%s)',
    async (kind) => {
      const link = '</s?page=1>; rel="first", </s?page=10>; rel="last"';
      const sis = await sisServer(() => ({ headers: { link }, body: people(10) }));
      expect((await refusal(`${sis.url}/s`, { paging: { kind } })).kind).toBe('Incomplete');
    },
  );

  test.each([
    ['page', { kind: 'page', size: 10, page: 'p' }],
    ['offset', { kind: 'offset', size: 10 }],
  ])('that are told by a Link header with the last one, and no further %s is asked for', async (_what, paging) => {
    for (const count of [7, 10, 25]) {
      const sis = await sisServer(({ query }) => {
        const from = query.has('p') ? (Number(query.get('p')) - 1) * 10 : Number(query.get('offset'));
        const last = Math.floor((count - 1) / 10);
        const link = `</?p=1&offset=0>; rel="first", </?offset=${last * 10}&p=${last + 1}>; rel="last"`;
        // the page behind the last one
        if (from >= count) return { status: 404 };
        return { headers: { link }, body: people(count).slice(from, from + 10) };
      });
      expect(await rowsOf(sis.url, { paging })).toHaveLength(count);
    }
  });

  test('by Link header, the last of which is the one in hand however it is written', async () => {
    const sis = await sisServer(({ query }) => {
      const page = Number(query.get('page') ?? 1);
      const next = page < 3 ? `, </s?page=${page + 1}&per=10>; rel="next"` : '';
      return {
        headers: { link: `</s?page=1&per=10>; rel="first", <http://inside/s?per=10&page=3>; rel="last"${next}` },
        body: all.slice((page - 1) * 10, page * 10),
      };
    });
    expect(await rowsOf(`${sis.url}/s`, { paging: { kind: 'link' } })).toHaveLength(25);
    // all on one page: the first is the last
    const link = '</s?page=1>; rel="first", </s?page=1>; rel="last"';
    sis.rule = () => ({ headers: { link }, body: people(3) });
    for (const kind of ['none', 'link', 'page'])
      expect(await rowsOf(`${sis.url}/s`, { paging: { kind } })).toHaveLength(3);
  });

  test('by links that are relative to the page that says them', async () => {
    const sis = await sisServer(({ url }) => {
      const page = Number(/\/page\/(\d)$/.exec(url.pathname)?.[1] ?? 1);
      const next = ['page/2', '3', ''][page - 1]!;
      const link: Record<string, string> = next ? { link: `<${next}>; rel="next"` } : {};
      return { headers: link, body: { data: all.slice((page - 1) * 10, page * 10), next: next || null } };
    });
    for (const paging of [{ kind: 'link' }, { kind: 'cursor', next: 'next' }]) {
      expect(await rowsOf(`${sis.url}/people`, { records: 'data', paging })).toHaveLength(25);
      expect(sis.asked.map(({ url }) => url.pathname)).toEqual(['/people', '/page/2', '/page/3', '/people']);
      sis.asked.length = 0;
    }
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
