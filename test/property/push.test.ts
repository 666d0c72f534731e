import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { push } from '../../connectors/push/connector.ts';
import type { Receipt } from '../../src/connector/inbox.ts';
import type { SourceConnector } from '../../src/connector/source.ts';
import { runSource } from '../../src/operate/run-source.ts';
import { judgeOf } from '../../src/pull/judge.ts';
import { keepDirOf } from '../../src/pull/pull.ts';
import { newRunId } from '../../src/run/record.ts';
import { formatOf } from '../../src/snapshot/formats/index.ts';
import { Crash, type CrashPoint, crashingStore } from '../support/crashing-store.ts';
import { noLimits, Site } from '../support/history.ts';
import { student } from '../support/pushing.ts';

/** Pushes, repeats and crashes in any order: the roster is what the pushes say, one after the other. */

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 200);

/** What a push says of one person. */
type Word =
  | { says: 'whole'; person: number; courses: number; version: number }
  | { says: 'name'; person: number; version: number }
  /** What nobody can read. */
  | { says: 'nonsense'; person: number; whole: boolean }
  | { says: 'gone'; person: number };

type Act =
  | { act: 'push'; answer: 'snapshot' | 'delta'; words: Word[]; key: boolean }
  | { act: 'repeat'; which: number }
  | { act: 'run' }
  | { act: 'crash'; point: CrashPoint }
  /** Between the end of a run and the putting away of its push. */
  | { act: 'crash late' };

const person = fc.integer({ min: 0, max: 4 });
const version = fc.integer({ min: 0, max: 2 });
const whole = fc.record({
  says: fc.constant('whole' as const),
  person,
  courses: fc.integer({ min: 1, max: 7 }),
  version,
});
const word: fc.Arbitrary<Word> = fc.oneof(
  whole,
  fc.record({ says: fc.constant('name' as const), person, version }),
  fc.record({ says: fc.constant('nonsense' as const), person, whole: fc.boolean() }),
  fc.record({ says: fc.constant('gone' as const), person }),
);
const once = { selector: (one: Word) => one.person, maxLength: 5 };
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 2, arbitrary: pushOf('snapshot', fc.uniqueArray(whole as fc.Arbitrary<Word>, once)) },
  { weight: 5, arbitrary: pushOf('delta', fc.uniqueArray(word, once)) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('repeat' as const), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.constant<Act>({ act: 'run' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('crash' as const),
      point: fc.record({ write: fc.integer({ min: 1, max: 25 }), when: fc.constantFrom('before', 'after') }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Act>({ act: 'crash late' }) },
);

function pushOf(answer: 'snapshot' | 'delta', words: fc.Arbitrary<Word[]>): fc.Arbitrary<Act> {
  return fc.record({ act: fc.constant('push' as const), answer: fc.constant(answer), words, key: fc.boolean() });
}

function recordsOf(word: Word): unknown[] {
  const id = `id${word.person}`;
  if (word.says === 'gone') return [{ id, deleted: true }];
  if (word.says === 'name') return [{ id, lastName: `Last v${word.version}` }];
  if (word.says === 'nonsense') {
    const email = 'nonsense';
    return [word.whole ? student(word.person, { email }) : { id, email }];
  }
  return coursesOf(word.courses).map((course) => student(word.person, { course, lastName: `Last v${word.version}` }));
}

const coursesOf = (bits: number): string[] => [0, 1, 2].filter((at) => bits & (1 << at)).map((at) => `Course ${at}`);

/** What the pushes say by themselves, worked out the plain way. */
class Model {
  people = new Map<number, { courses: number; version: number }>();
  /** People who were named and are not known. */
  unknown = new Set<number>();
  /** The last push did not come into force, so a delta changes nothing. */
  #lost = true;

  take(answer: 'snapshot' | 'delta', words: readonly Word[]): void {
    if (answer === 'delta' && this.#lost) return;
    const [people, unknown] =
      answer === 'snapshot' ? [new Map(), new Set<number>()] : [new Map(this.people), new Set(this.unknown)];
    for (const word of words) {
      if (word.says === 'nonsense') {
        if (!people.has(word.person)) unknown.add(word.person);
        continue;
      }
      if (word.says === 'name') {
        const known = people.get(word.person);
        if (known) people.set(word.person, { ...known, version: word.version });
        else unknown.add(word.person);
        continue;
      }
      unknown.delete(word.person);
      if (word.says === 'gone') people.delete(word.person);
      else people.set(word.person, { courses: word.courses, version: word.version });
    }
    // nothing never replaces something, and rows of which none can be read are no list
    this.#lost = people.size === 0 && (this.people.size > 0 || unknown.size > 0);
    if (this.#lost) return;
    this.people = people;
    this.unknown = unknown;
  }
}

class PushedSite {
  readonly site = new Site({ sources: ['sis'], limits: noLimits, newCourses: 'provision' });
  readonly model = new Model();
  readonly sent: { receipt: Receipt; body: string; key: string | null; answer: 'snapshot' | 'delta' }[] = [];
  readonly #settings = push.settings.parse({ key: { sha256: createHash('sha256').update('x').digest('hex') } });

  get #keepDir(): string {
    return keepDirOf(this.site.directory, 'sis');
  }

  async receive(body: string, answer: 'snapshot' | 'delta', key: string | null) {
    const { work } = this.site.rosterd;
    this.site.time += 1000;
    const format = formatOf({ kind: 'unitu' });
    return push.inbox!(this.#settings, this.#keepDir).receive(
      {
        ...{ run: newRunId('sis', work.clock), type: 'json', answer, idempotencyKey: key },
        body: Readable.from([Buffer.from(body)]),
      },
      { columns: format.columns, judge: (columns, lacking) => judgeOf(format, columns, lacking), clock: work.clock },
    );
  }

  async push({ answer, words, key }: Act & { act: 'push' }): Promise<void> {
    const body = JSON.stringify({ data: words.flatMap(recordsOf) });
    const own = key ? `key-${this.sent.length}` : null;
    if (words.length && words.every(({ says }) => says === 'nonsense')) {
      await expect(this.receive(body, answer, own)).rejects.toMatchObject({ status: 422 });
      return;
    }
    const { receipt, repeated } = await this.receive(body, answer, own);
    expect(repeated).toBe(false);
    this.sent.push({ receipt, body, key: own, answer });
    this.model.take(answer, words);
  }

  async repeat({ which }: Act & { act: 'repeat' }): Promise<void> {
    const keyed = this.sent.filter(({ key }) => key !== null);
    const one = keyed[which % Math.max(1, keyed.length)];
    if (!one) return;
    expect(await this.receive(one.body, one.answer, one.key)).toEqual({ receipt: one.receipt, repeated: true });
  }

  async run(connector: SourceConnector<never> = push as never): Promise<void> {
    const source = { ...this.site.rosterd.config.sources[0]!, connector, settings: this.#settings };
    this.site.time += 1000;
    for await (const _ of runSource(this.site.rosterd, source as never, { trigger: 'test', dryRun: false }));
  }

  async crash(point: CrashPoint): Promise<void> {
    const dying = crashingStore(this.site.store, point);
    this.site.rosterd.store = dying.store;
    await this.run().catch((error) => {
      if (!dying.died()) throw error;
    });
    await this.site.restart();
  }

  async crashLate(): Promise<void> {
    const inbox: typeof push.inbox = (settings, keepDir) => ({
      ...push.inbox!(settings, keepDir),
      settle: () => Promise.reject(new Crash('died before a push was put away')),
    });
    await this.run({ ...push, inbox } as never).catch((error) => {
      if (!(error instanceof Crash)) throw error;
    });
    await this.site.restart();
  }

  async step(act: Act): Promise<void> {
    if (act.act === 'push') await this.push(act);
    else if (act.act === 'repeat') await this.repeat(act);
    else if (act.act === 'run') await this.run();
    else if (act.act === 'crash') await this.crash(act.point);
    else await this.crashLate();
  }
}

test('any history of lists, deltas, repeats and crashes ends in the roster that they say, each push in its own run', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(acts, { minLength: 1, maxLength: 14 }), async (story) => {
      const pushed = new PushedSite();
      await using site = pushed.site;
      for (const act of story) await pushed.step(act);
      // once for what waits, and once more: that finds nothing, whatever was left
      await pushed.run();
      await pushed.run();

      const { members } = await site.look();
      const active = members.filter(({ status }) => status === 'active');
      expect(
        active
          .map(({ id, lastName, enrolments }) => ({
            id,
            lastName,
            courses: enrolments.map((one) => one.split('\u001f')[2]),
          }))
          .sort((a, b) => (a.id! < b.id! ? -1 : 1)),
      ).toEqual(
        [...pushed.model.people]
          .sort(([a], [b]) => a - b)
          .map(([n, { courses, version }]) => ({
            id: `id${n}`,
            lastName: `Last v${version}`,
            courses: coursesOf(courses),
          })),
      );
      const runs = (await site.store.runs.list({ limit: 1000 })).filter(({ trigger }) => trigger === 'push');
      expect(runs.map(({ run }) => run).sort()).toEqual(pushed.sent.map(({ receipt }) => receipt.run).sort());
      expect(runs.filter(({ status }) => status === 'running')).toEqual([]);
    }),
    { numRuns },
  );
});
