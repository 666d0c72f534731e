import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sisHttp } from '../../connectors/sis-http/connector.ts';
import { failure, readAll } from '../support/drop.ts';
import { people, pulledSis, type Rule, sisContext, sisServer, sisSettings, slice } from '../support/sis.ts';

const columns = ['id', 'name.given', 'email'];
const offset = { kind: 'offset', size: 10 };
const total = { path: 'meta.total' };

/** A server that keeps its word, page by page. */
const honest =
  (all = people(35)): Rule =>
  ({ query }) => ({ body: { meta: { total: all.length }, students: slice(all, query) } });

async function against(rule: Rule, more: Record<string, unknown> = {}, wanted = columns) {
  const sis = await sisServer(rule);
  const written = {
    url: `${sis.url}/students`,
    records: 'students',
    key: 'id',
    paging: offset,
    total,
    verify: 'first',
    ...more,
  };
  const settings = sisSettings(written);
  return { sis, settings, context: sisContext(wanted), pull: () => pulledSis(settings, sisContext(wanted)) };
}

/** What the pull ends with. */
async function verdict(rule: Rule, more: Record<string, unknown> = {}) {
  const { settings, context, sis } = await against(rule, more);
  return { ...(await failure(sisHttp.pull(settings, context))), sis };
}

describe('a list in pages', () => {
  test('is read whole, each row with its place', async () => {
    const { pull, sis } = await against(honest());
    const answer = await pull();
    const rows = await readAll(answer);
    expect(rows).toHaveLength(35);
    expect(rows[20]).toEqual({
      part: 0,
      line: 21,
      cells: ['S21', 'Ann 21', 'ann21@example.edu'],
      origin: `${sis.url}/students id=S21`,
    });
    expect(answer.parts[0]).toMatchObject({ name: `${sis.url}/students`, columns });
    // four pages, and the first one again
    expect(sis.asked.map(({ query }) => query.get('offset'))).toEqual(['0', '10', '20', '30', '0']);
  });

  test('has the same content when it is read again, and with pages in flight', async () => {
    const { pull, sis } = await against(honest());
    const { content } = await pull();
    expect((await pull()).content).toBe(content);
    const concurrent = sisSettings({
      url: `${sis.url}/students`,
      records: 'students',
      key: 'id',
      paging: offset,
      total,
      concurrency: 4,
    });
    expect((await pulledSis(concurrent, sisContext(columns))).content).toBe(content);
  });

  test('that is empty is complete when the server says so', async () => {
    const { pull, sis } = await against(honest([]));
    expect(await readAll(await pull())).toEqual([]);
    expect(sis.asked).toHaveLength(1);
  });

  test('without a total ends with an empty page, never with a short one', async () => {
    const all = people(25);
    const { pull, sis } = await against(({ query }) => ({ body: { students: slice(all, query, 10) } }), {
      total: undefined,
      paging: { kind: 'offset', size: 100 },
    });
    expect(await readAll(await pull())).toHaveLength(25);
    expect(sis.asked.map(({ query }) => query.get('offset'))).toEqual(['0', '10', '20', '25', '0']);
  });
});

describe('a total', () => {
  test.each([
    [34, 'the server declares 34 records and 35 came'],
    [36, 'the server declares 36 records and 35 came'],
  ])('of %i that is not what came', async (declared, said) => {
    const { kind, line } = await verdict(({ query }) => ({
      body: { meta: { total: declared }, students: slice(people(35), query) },
    }));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining(said)]);
  });

  test.each([1, 4])('that changes between pages, with %i in flight', async (concurrency) => {
    const rule: Rule = ({ query }) => ({
      body: { meta: { total: query.get('offset') === '20' ? 34 : 35 }, students: slice(people(35), query) },
    });
    const { kind, line } = await verdict(rule, { concurrency });
    expect(kind).toBe('Incomplete');
    expect(line).toContain('the total was 35 on the first page and is 34 on page 3');
  });

  test.each([1, 4])(
    'that is the count of the page is not taken for everybody, with %i in flight',
    async (concurrency) => {
      const rule: Rule = ({ query }) => {
        const page = slice(people(35), query);
        return { body: { meta: { total: page.length }, students: page } };
      };
      expect(await verdict(rule, { concurrency })).toMatchObject({ kind: 'Incomplete' });
      expect(await verdict(rule, { concurrency, verify: undefined })).toMatchObject({ kind: 'Incomplete' });
    },
  );

  test('that is missing where it was said to be', async () => {
    const { kind, line } = await verdict(({ query }) => ({ body: { students: slice(people(35), query) } }));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('does not say how many records there are')]);
  });

  test('in a header', async () => {
    const rule: Rule = ({ query }) => ({
      headers: { 'X-Total-Count': '36' },
      body: { students: slice(people(35), query) },
    });
    const { line } = await verdict(rule, { total: { header: 'x-total-count' } });
    expect(line).toContain('the server declares 36 records and 35 came');
  });
});

describe('between pages', () => {
  test.each([1, 4])('a short page in the middle, with %i in flight', async (concurrency) => {
    const rule: Rule = ({ query }) => {
      const page = slice(people(35), query);
      return { body: { meta: { total: 35 }, students: query.get('offset') === '10' ? page.slice(0, 7) : page } };
    };
    const { kind, line } = await verdict(rule, { concurrency });
    expect(kind).toBe('Incomplete');
    expect(line).toMatch(/page 2 (was|is) shorter than the first one/);
  });

  test('a short page in the middle where no total tells', async () => {
    const rule: Rule = ({ query }) => {
      const page = slice(people(35), query);
      return { body: { students: query.get('offset') === '10' ? page.slice(0, 7) : page } };
    };
    const { line } = await verdict(rule, { total: undefined });
    expect(line).toMatch(/page 2 was shorter than the first one, and there are records behind it/);
  });

  test('a record that came: the last one of a page is there twice', async () => {
    const all = people(35);
    const rule: Rule = ({ query, number }) => {
      if (number === 2) all.unshift(...people(1, 100));
      return { body: { students: slice(all, query) } };
    };
    const { kind, line } = await verdict(rule, { total: undefined });
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('record 1 of page 2 came on page 1 already')]);
    // and without a key, by all that the record says
    expect((await verdict(rule, { total: undefined, key: undefined })).kind).toBe('Incomplete');
  });

  test('a record that went: the next page begins one too late', async () => {
    const vanishing = (at: number): Rule => {
      const all = people(35);
      return ({ query, number }) => {
        if (number === 3) all.splice(at, 1);
        return { body: { students: slice(all, query) } };
      };
    };
    const unsaid = await verdict(vanishing(15), { total: undefined, verify: undefined });
    expect(unsaid.line).toContain('set verify: first if this server takes only multiples');
    const first = await verdict(vanishing(3), { total: undefined });
    expect([first.kind, first.line]).toEqual([
      'Incomplete',
      expect.stringContaining('the first page has other records'),
    ]);
    // behind the first page only the overlap sees it
    const later = await verdict(vanishing(15), { total: undefined, verify: 'overlap' });
    expect([later.kind, later.line]).toEqual([
      'Incomplete',
      expect.stringContaining('page 3 does not begin with the last record of the one before'),
    ]);
  });

  test('one went and one came: the total alone would not tell', async () => {
    const all = people(35);
    const rule: Rule = ({ query, number }) => {
      if (number === 2) {
        all.splice(4, 1);
        all.push(...people(1, 100));
      }
      return { body: { meta: { total: 35 }, students: slice(all, query) } };
    };
    expect((await verdict(rule)).line).toContain('the first page has other records');
    expect((await verdict(rule)).kind).toBe('Incomplete');
  });

  test('pages that overlap are read whole, in any number', async () => {
    for (const count of [0, 1, 9, 10, 11, 19, 20, 28, 29, 35])
      for (const declared of [total, undefined])
        for (const concurrency of [1, 3]) {
          const { pull } = await against(honest(people(count)), { verify: 'overlap', total: declared, concurrency });
          expect(await readAll(await pull())).toHaveLength(count);
        }
  });

  test('a 500 on page 3', async () => {
    const rule: Rule = (asked, response) =>
      asked.query.get('offset') === '20' ? { status: 500, body: { error: 'no' } } : honest()(asked, response);
    const { kind, line } = await verdict(rule);
    expect([kind, line]).toEqual(['Unavailable', expect.stringMatching(/\/students answered 500: no$/)]);
  });

  test('a 404 on page 3 is no end', async () => {
    const rule: Rule = (asked, response) =>
      asked.query.get('offset') === '20' ? { status: 404 } : honest()(asked, response);
    expect((await verdict(rule)).kind).toBe('Incomplete');
    expect((await verdict(() => ({ status: 404 }))).kind).toBe('Misconfigured');
  });

  test('a key that is there twice on one page', async () => {
    const { kind, line } = await verdict(() => ({
      body: { meta: { total: 2 }, students: [...people(1), ...people(1)] },
    }));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('has the key of another one on it')]);
  });
});

describe('one answer', () => {
  const single = { paging: undefined, total: undefined };
  test.each<[string, Rule, string, RegExp]>([
    ['cut JSON', () => ({ body: '{"students":[{"id":"1"},{"id":' }), 'Incomplete', /is cut off after 30 bytes/],
    ['cut between records', () => ({ body: '{"students":[{"id":"1"}' }), 'Incomplete', /is cut off/],
    ['nothing', () => ({ body: '' }), 'Incomplete', /is empty/],
    ['more behind its end', () => ({ body: '{"students":[]}{}' }), 'Incomplete', /not valid JSON/],
    ['two lists', () => ({ body: '{"students":[],"students":[]}' }), 'Incomplete', /list of records twice/],
    ['no JSON', () => ({ body: '{"students":[{id:1}]}' }), 'Incomplete', /not valid JSON/],
    ['a comma too much', () => ({ body: '{"students":[{"id":"1"},]}' }), 'Incomplete', /not valid JSON/],
    [
      'bytes that are no UTF-8',
      () => ({ body: Buffer.from('{"students":["\xff"]}', 'latin1') }),
      'Incomplete',
      /UTF-8/,
    ],
    [
      'an error with status 200',
      () => ({ body: { error: { code: 17, message: 'quota' } } }),
      'Incomplete',
      /students is missing; the answer has "error"; the server says: quota/,
    ],
    [
      'people by their addresses instead of a list',
      () => ({ body: { error: 'x', 'ann@example.edu': {}, 'ben@example.edu': {} } }),
      'Incomplete',
      /students is missing; the answer has 3 names, which may be people's; the server says: x;/,
    ],
    [
      'people by their names',
      () => ({ body: { 'Ann Lee': {}, meta: {} } }),
      'Incomplete',
      /missing; the answer has 2 names, which may/,
    ],
    [
      'people by their numbers',
      () => ({ body: { s950123: {} } }),
      'Incomplete',
      /missing; the answer has 1 name, which/,
    ],
    [
      'people by their logins',
      () => ({ body: Object.fromEntries([...'abcdefghijklmnopqrstu'].map((one) => [`${one}lee`, {}])) }),
      'Incomplete',
      /missing; the answer has 21 names, which may/,
    ],
    [
      'another list than that',
      () => ({ body: { Items: [], '@odata.count': 0, 'has-more': false, next_page: null } }),
      'Incomplete',
      /missing; the answer has "Items", "@odata.count", "has-more", "next_page";/,
    ],
    ['null instead of a list', () => ({ body: { students: null } }), 'Incomplete', /students is null/],
    ['an object instead of a list', () => ({ body: { students: {} } }), 'Incomplete', /students is an object/],
    [
      'a login page',
      () => ({ headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html>' }),
      'Incomplete',
      /is text\/html and not JSON/,
    ],
    ['a part of it', () => ({ status: 206, body: { students: [] } }), 'Incomplete', /answered 206/],
    ['no content', () => ({ status: 204 }), 'Incomplete', /answered 204/],
    [
      'the first of several pages',
      () => ({ headers: { link: '</students?page=2>; rel="next"' }, body: { students: people(2) } }),
      'Incomplete',
      /first of several pages/,
    ],
    [
      'gzip that was cut',
      () => ({
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync(JSON.stringify({ students: people(500) })).subarray(0, 200),
      }),
      'Incomplete',
      /cannot be unpacked/,
    ],
    [
      'a packing that nobody asked for',
      () => ({ headers: { 'content-encoding': 'zstd' }, body: 'x' }),
      'Incomplete',
      /packed as "zstd"/,
    ],
    ['403', () => ({ status: 403 }), 'Denied', /answered 403/],
    ['400', () => ({ status: 400, body: 'bad filter' }), 'Misconfigured', /answered 400: bad filter/],
    [
      'a reset in the middle',
      (_asked, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"students":[', () => response.socket!.resetAndDestroy());
        return null;
      },
      'Unavailable',
      /127\.0\.0\.1/,
    ],
    [
      'silence',
      (_asked, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"students":[');
        return null;
      },
      'Unavailable',
      /timeout/i,
    ],
  ])('%s', async (_what, rule, kind, line) => {
    const found = await verdict(rule, { ...single, timeout: '300ms' });
    expect([found.kind, found.line]).toEqual([kind, expect.stringMatching(line)]);
  });

  test('that drips on for ever', async () => {
    const { settings, context } = await against(
      (_asked, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"students":[');
        const drip = (): void => void response.write(' ', () => setImmediate(drip));
        drip();
        return null;
      },
      { ...single, answerTimeout: '1s' },
    );
    let time = 0;
    const clock = { ...context.clock, monotonic: () => (time += 10) };
    const { kind, line } = await failure(sisHttp.pull(settings, { ...context, clock }));
    expect([kind, line]).toEqual(['Unavailable', expect.stringContaining('longer than answerTimeout (1 s)')]);
  });

  test('that is too large, also when it was small on its way', async () => {
    const bomb = gzipSync(`{"students":[],"x":"${'x'.repeat(5_000_000)}"}`);
    const { kind, line } = await verdict(() => ({ headers: { 'content-encoding': 'gzip' }, body: bomb }), {
      ...single,
      maxSize: '1MB',
    });
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('larger than maxSize allows')]);
  });

  test('with too many records', async () => {
    const { line } = await verdict(() => ({ body: { students: people(11) } }), { ...single, maxRecords: 10 });
    expect(line).toContain('more than 10 records');
  });

  test('in which no record has a column of the format', async () => {
    const { settings } = await against(() => ({ body: { students: people(3) } }), single);
    const { kind, line } = await failure(sisHttp.pull(settings, sisContext(['id', 'name.givn'])));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('none of 3 records has name.givn')]);
  });

  test('of a record that is broken has its neighbours all the same', async () => {
    const [ann, ben, cy] = people(3);
    const bad = { ...ben!, name: [{ given: 'Ben' }], id: 'S2' };
    const { pull } = await against(
      () => ({ body: { students: [ann, bad, { ...cy, id: '' }, 'x', { ...cy, email: {} }] } }),
      {
        ...single,
      },
    );
    const rows = await readAll(await pull());
    expect(rows.map((row) => ('broken' in row ? `${row.broken} (${row.column})` : row.cells[0]))).toEqual([
      'S1',
      'name is a list, no object (2)',
      'has no id, which is its key (null)',
      'is a single value, no object (null)',
      'email is an object, no single value (3)',
    ]);
  });
});
