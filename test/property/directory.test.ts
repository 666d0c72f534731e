import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rejected } from '../../src/base/errors.ts';
import type { Run } from '../../src/store/port.ts';
import { kindFormat, type Member, noLimits, Site } from '../support/history.ts';
import type { MemoryRow } from '../support/memory-source.ts';
import { type Act, Book, type Story, scopes, shuffled, stories } from './story.ts';

/**
 * Two sites live through the same story; one of them has two directories as well, which come, go, fail and disagree in
 * between. In everything but attributes the two stay equal, step by step. At the end attributes are what the directories
 * say last.
 */

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 100);
const directories = ['ad', 'phones'];
const usual = { percent: 10, atLeast: 2, window: { days: 7, percent: 25 } };

const nobody = ['', '', '', '', '', '', '', 'i99'];

interface Entry {
  id: number | null;
  email: number | null;
  phone: string;
  room: string;
}
interface Word {
  directory: number;
  say: 'complete' | 'incomplete' | 'dry' | 'approve' | 'reject';
  entries: Entry[];
  bad: boolean;
}

const entry: fc.Arbitrary<Entry> = fc.record({
  id: fc.option(fc.nat(5), { freq: 3 }),
  email: fc.option(fc.nat(7), { freq: 3 }),
  phone: fc.constantFrom('', '1', '2'),
  room: fc.constantFrom('', 'a', 'b'),
});
const word: fc.Arbitrary<Word> = fc.record({
  directory: fc.nat(1),
  say: fc.constantFrom('complete' as const, 'complete', 'complete', 'incomplete', 'dry', 'approve', 'reject'),
  entries: fc.array(entry, { maxLength: 8 }),
  bad: fc.constantFrom(false, false, true),
});

function rowsOf(entries: readonly Entry[], bad: boolean): MemoryRow[] {
  const rows: MemoryRow[] = entries
    .filter(({ id, email }) => id !== null || email !== null)
    .map(({ id, email, phone, room }) => {
      const [own, address] = [id === null ? '' : `i${id}`, email === null ? '' : `e${email}@x.edu`];
      return ['', '', '', phone, room, address, '', own];
    });
  return bad ? [...rows, 'garbled'] : rows;
}

/** How a run ended; one that changed nothing in the bare site may have moved an attribute in the other. */
function ended({ status }: Run): string {
  return status === 'applied' || status === 'planned' ? 'unchanged' : status;
}

/** What the two sites must agree in. */
function plain(members: readonly Member[]): unknown[] {
  return members.map(({ attributes: _attributes, ...rest }) => rest);
}

class Pair {
  readonly #sources: readonly string[];
  readonly #books: Book[];
  readonly #bare: Site;
  readonly #rich: Site;
  readonly #last = new Map<string, MemoryRow[]>();
  constructor({ sources, crowd }: Story, guarded: boolean) {
    this.#sources = sources;
    this.#books = sources.map((_, at) => new Book(at === 0 ? crowd : 0));
    const limits = guarded ? usual : noLimits;
    this.#bare = new Site({ sources, limits, format: kindFormat });
    this.#rich = new Site({ sources: ['ad', ...sources, 'phones'], directories, limits, format: kindFormat });
    for (const site of [this.#bare, this.#rich]) site.setScope(scopes[0]!);
  }

  async step(act: Act): Promise<void> {
    if (act.act === 'scope') for (const site of [this.#bare, this.#rich]) site.setScope(scopes[act.scope]!);
    if (act.act !== 'drop') return;
    const at = act.source % this.#sources.length;
    this.#books[at]!.change(act.edits);
    const rows = shuffled(this.#books[at]!.rows(), act.shuffle);
    const said = act.how === 'complete' || act.how === 'dry' ? rows : act.how;
    const [bare, rich] = [this.#bare, this.#rich].map((site) => site.run(this.#sources[at]!, said, act.how === 'dry'));
    expect(ended(await rich!)).toBe(ended(await bare!));
  }

  async hear(word: Word): Promise<void> {
    const name = directories[word.directory]!;
    if (word.say === 'approve' || word.say === 'reject') {
      const held = await this.#rich.held(name);
      if (held && word.say === 'reject') await this.#rich.reject(held.run);
      if (held && word.say === 'approve') await this.#approve(held);
    } else {
      const rows = rowsOf(word.entries, word.bad);
      await this.#rich.run(name, word.say === 'incomplete' ? 'incomplete' : rows, word.say === 'dry');
      if (word.say === 'complete') this.#last.set(name, rows);
    }
    // The bare site's clock goes along, so that nothing differs but the directories.
    this.#bare.time = this.#rich.time;
  }

  /** A plan that was overtaken is refused, and the next run makes a new one. */
  async #approve({ run, digest }: Run): Promise<void> {
    await this.#rich.approve(run, digest!).catch((error: unknown) => {
      if (!(error instanceof Rejected)) throw error;
    });
  }

  async check(): Promise<Member[]> {
    const [bare, rich] = [await this.#bare.look(), await this.#rich.look()];
    expect(plain(rich.members)).toEqual(plain(bare.members));
    expect(rich.courses).toEqual(bare.courses);
    return rich.members;
  }

  /** Whole and clear answers, held plans approved, until nothing changes. */
  async settle(): Promise<void> {
    // Whoever waits to become staff waits with all attributes, and what one source has settled the other hears by its next run.
    for (let round = 0; round < 3; round += 1)
      for (const [at, name] of this.#sources.entries()) {
        this.#books[at]!.tidy();
        // Never empty, for the same reason as below.
        const own = ['STU', 'D1', 'C1', 'Own', 'L', `own-${name}@x.edu`, '1', `own-${name}`];
        const rows = [...this.#books[at]!.rows(), own];
        for (const site of [this.#bare, this.#rich]) {
          const run = await site.run(name, rows);
          if (run.status === 'held') await site.approve(run.run, run.digest!);
        }
      }
    for (let round = 0; round < 6; round += 1)
      for (const name of directories) {
        // An empty snapshot may be approved, and yet never comes into force.
        const rows = [...(this.#last.get(name) ?? []).filter((row) => row !== 'garbled'), nobody];
        await this.#rich.run(name, rows);
        const held = await this.#rich.held(name);
        if (held) await this.#approve(held);
      }
  }

  /** Attributes of an account as the last entries say; null when entries of one directory disagree. */
  expected(member: Member): Record<string, string> | null {
    const wanted: Record<string, string> = {};
    for (const name of directories) {
      const rows = (this.#last.get(name) ?? []).filter((row): row is string[] => typeof row !== 'string');
      const named = rows.filter((row) => row[7] && row[7] === member.id);
      const known = this.#ids;
      const found = named.length ? named : rows.filter((row) => row[5] === member.email && !known.includes(row[7]!));
      if (new Set(found.map((row) => `${row[3]}|${row[4]}`)).size > 1) return null;
      const [phone = '', room = ''] = found[0]?.slice(3, 5) ?? [];
      if (phone) wanted['phone'] ??= phone;
      if (room) wanted['room'] ??= room;
    }
    return wanted;
  }

  /** Ids that a row of an authoritative source has. */
  get #ids(): string[] {
    return this.#books.flatMap((book) =>
      book.rows().flatMap((row) => (typeof row === 'string' || !row[7] ? [] : [row[7]])),
    );
  }

  /** True when every row of the person says the same address, and nobody else's says it or the id. */
  isClear(member: Member): boolean {
    const rows = this.#books.flatMap((book) => book.rows()).filter((row): row is string[] => typeof row !== 'string');
    const mine = rows.filter((row) => (row[7] && row[7] === member.id) || row[5] === member.email);
    return mine.length > 0 && mine.every((row) => row[5] === member.email && (row[7] || null) === member.id);
  }

  async dispose(): Promise<void> {
    for (const site of [this.#bare, this.#rich]) await site[Symbol.asyncDispose]();
  }
}

test('directories that come, go, fail and disagree change nothing but attributes', async () => {
  let judged = 0;
  await fc.assert(
    fc.asyncProperty(
      stories(8),
      fc.array(fc.array(word, { maxLength: 2 }), { minLength: 10, maxLength: 10 }),
      fc.boolean(),
      async (story, words, guarded) => {
        const pair = new Pair(story, guarded);
        try {
          for (const [at, act] of story.acts.entries()) {
            await pair.step(act);
            for (const one of words[at] ?? []) await pair.hear(one);
            await pair.check();
          }
          await pair.settle();
          for (const member of await pair.check()) {
            if (member.status !== 'active' || !pair.isClear(member)) continue;
            const wanted = pair.expected(member);
            if (!wanted) continue;
            judged += 1;
            expect(member.attributes, member.account).toEqual(wanted);
          }
        } finally {
          await pair.dispose();
        }
      },
    ),
    { numRuns },
  );
  expect(judged).toBeGreaterThan(numRuns);
});
