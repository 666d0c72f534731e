import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Run } from '../../src/store/port.ts';
import { noLimits, Site } from '../support/history.ts';
import type { MemoryRow } from '../support/memory-source.ts';

/**
 * Sources whose roles are edited between runs, in any order. Nobody whom a source that says who exists has named last is
 * ever lost; and when all of them say who exists again, the roster is what they say, whatever happened in between.
 */

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 40);
const sources = ['sis', 'hr'];
const people = ['ann', 'bob'];

type Step = { act: 'drop'; source: string; said: Said } | { act: 'role'; source: string };
/** The courses of whom a source has something new to say of; of none: it lets go. */
type Said = Readonly<Record<string, readonly string[] | undefined>>;

const source = fc.constantFrom(...sources);
const its = fc.constantFrom(undefined, [], ['C1'], ['C1', 'C2']);
const said: fc.Arbitrary<Said> = fc.record({ ann: its, bob: its });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ act: fc.constant('drop' as const), source, said }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('role' as const), source }) },
);

const row = (who: string, course: string): MemoryRow => ['F', 'D', course, who, 'L', `${who}@x.edu`, '1', who];

class Campus {
  readonly site = new Site({ sources, limits: noLimits });
  readonly #books = new Map(sources.map((name) => [name, new Set<string>()]));
  readonly #answered = new Map<string, ReadonlySet<string>>();
  readonly #directories = new Set<string>();

  hear(source: string, said: Said): void {
    const book = this.#books.get(source)!;
    for (const [who, its] of Object.entries(said)) {
      if (!its) continue;
      for (const one of [...book]) if (one.startsWith(`${who} `)) book.delete(one);
      for (const course of its) book.add(`${who} ${course}`);
    }
  }

  /** Somebody of its own is in each, so that no answer is empty. What no source has given before, a person lets pass. */
  async drop(source: string): Promise<Run> {
    const book = new Set(this.#books.get(source)!);
    const rows = [...book].map((one) => row(...(one.split(' ') as [string, string])));
    const run = await this.site.run(source, [row(source, 'C1'), ...rows]);
    expect(['applied', 'unchanged', 'held']).toContain(run.status);
    this.#answered.set(source, book);
    if (run.status === 'held') await this.site.approve(run.run, run.digest!);
    return run;
  }

  flip(source: string): void {
    if (!this.#directories.delete(source)) this.#directories.add(source);
    this.site.setRole(source, this.#directories.has(source) ? 'directory' : 'authoritative');
  }

  get directories(): readonly string[] {
    return [...this.#directories];
  }

  /** Who is named by a source that says who exists, with the course. */
  named(): string[] {
    const said = [...this.#answered].flatMap(([name, rows]) => (this.#directories.has(name) ? [] : [...rows]));
    return [...new Set(said)].sort();
  }

  async active(): Promise<Map<string, string[]>> {
    const { members } = await this.site.look();
    const there = members.filter(({ id, status }) => status === 'active' && people.includes(id!));
    return new Map(there.map(({ id, enrolments }) => [id!, enrolments.map((key) => key.split('\u001f').at(-1)!)]));
  }
}

test('whatever the roles were, the roster is what the sources say, and nobody is lost whom one of them names', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14, size: 'max' }), async (steps) => {
      const campus = new Campus();
      await using _site = campus.site;
      for (const one of steps) {
        if (one.act === 'role') campus.flip(one.source);
        else {
          campus.hear(one.source, one.said);
          const before = await campus.active();
          await campus.drop(one.source);
          const after = await campus.active();
          const named = new Set(campus.named().map((key) => key.split(' ')[0]!));
          for (const who of before.keys()) if (named.has(who)) expect([...after.keys()]).toContain(who);
        }
      }
      for (const name of campus.directories) campus.flip(name);
      for (let round = 0; round < 4; round += 1) for (const name of sources) await campus.drop(name);
      const there = [...(await campus.active())].flatMap(([who, its]) => its.map((course) => `${who} ${course}`));
      expect(there.sort()).toEqual(campus.named());
      expect([...(await campus.active()).values()].every((its) => its.length > 0)).toBe(true);
    }),
    { numRuns },
  );
});
