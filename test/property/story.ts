import fc from 'fast-check';
import type { FormatConfig } from '../../src/configure/config.ts';
import { kindFormat, type SiteScope } from '../support/history.ts';
import type { MemoryRow } from '../support/memory-source.ts';
import type { BadRow, GoodRow } from './model.ts';

/** Stories: what happens at a small site, written so that a counterexample can be read. */

export const scopes: readonly SiteScope[] = [
  { departments: /^.*$/, courses: /^.*$/ },
  { departments: /^D1$/, courses: /^.*$/ },
  { departments: /^.*$/, courses: /^C1$/ },
];
const courses = [
  ['F', 'D1', 'C1'],
  ['F', 'D1', 'C2'],
  ['F', 'D2', 'C3'],
] as const;
/** What stands where Unitu's list has the faculty; see `kindFormat`. */
const kinds = { student: 'STU', staff: 'EMP' } as const;
const garbled = 'garbled';
const otherKind = { student: 'staff', staff: 'student' } as const;
const unreadableId = 'i'.repeat(300);

export function keyOf(course: number): string {
  return courses[course]!.join('\u001f');
}

export function inScope(course: string, scope: number): boolean {
  const [, department = '', name = ''] = course.split('\u001f');
  return scopes[scope]!.departments.test(department) && scopes[scope]!.courses.test(name);
}

const last = { columns: ['lastName'], join: '', constant: null };
/** How the rows of a story are read: the column of the last name says whether a row is a reason for an account. */
export const storyFormat: FormatConfig = {
  kind: 'map',
  fields: {
    ...kindFormat.fields,
    lastName: { columns: [], join: '', constant: 'L', values: null },
    provision: { ...last, values: { L: 'yes', guest: 'no' } },
  },
};

/** What a source changes before it answers. People are numbered; so are ids and e-mails: `i3`, `e3@x.edu`. */
export type Edit =
  | { edit: 'put'; who: number; course: number }
  | { edit: 'quit'; who: number; course: number }
  | { edit: 'leave'; who: number }
  | { edit: 'email'; who: number; email: number }
  | { edit: 'id'; who: number; id: number | null }
  | { edit: 'rename'; who: number }
  | { edit: 'year'; who: number }
  /** A student becomes staff, or staff a student. */
  | { edit: 'turn'; who: number }
  /** A source writes its codes otherwise: the crowd becomes staff, or students again. */
  | { edit: 'recode' }
  /** One row of the person says something else than the others. */
  | { edit: 'odd'; who: number }
  /** All rows of the person, or the first alone, are no reason for an account; the next time they are one again. */
  | { edit: 'guest'; who: number; rows: 'all' | 'first' }
  /** The first row of the person cannot be read, but tells whose it is. */
  | { edit: 'break'; who: number; leaves: Readable }
  /** There is a row that could be anybody's. */
  | { edit: 'garble' }
  /** This once no row is answered. */
  | { edit: 'empty' };

export type Act =
  | {
      act: 'drop';
      source: number;
      edits: Edit[];
      how: 'complete' | 'incomplete' | 'dry' | 'nothing new';
      shuffle: Shuffle;
    }
  | { act: 'approve'; source: number; right: boolean }
  | { act: 'reject'; source: number }
  | { act: 'scope'; scope: number }
  | { act: 'wait'; hours: number };
/** What a broken row still tells of its person. */
type Readable = 'id and e-mail' | 'id' | 'e-mail';
export type Shuffle = 'as is' | 'reversed' | 'repeated';

interface Entry {
  id: number | null;
  email: number;
  name: number;
  year: number;
  kind: keyof typeof kinds;
  courses: Set<number>;
  odd: boolean;
  guest: 'no' | 'all' | 'first';
  broken: 'no' | Readable;
}

/** What one source believes. */
export class Book {
  readonly #people = new Map<number, Entry>();
  readonly #crowd: number;
  readonly #ids: boolean;
  #garbled = false;
  #empty = false;
  #crowdKind: keyof typeof kinds = 'student';

  /** `crowd`: so many more people who never change, so that one leaver is a small share. `ids`: false: it knows none. */
  constructor(crowd: number, ids = true) {
    this.#crowd = crowd;
    this.#ids = ids;
  }

  /** Person `who` as nobody has edited them. People 6 and 7 have no id. */
  #entry(who: number): Entry {
    const made: Entry = {
      id: who < 6 ? who : null,
      email: who,
      name: 0,
      year: 1,
      kind: 'student',
      courses: new Set(),
      odd: false,
      guest: 'no',
      broken: 'no',
    };
    const entry = this.#people.get(who) ?? made;
    this.#people.set(who, entry);
    return entry;
  }

  change(edits: readonly Edit[]): void {
    this.#empty = false;
    for (const edit of edits) {
      if (edit.edit === 'garble') this.#garbled = !this.#garbled;
      else if (edit.edit === 'empty') this.#empty = true;
      else if (edit.edit === 'recode') this.#crowdKind = otherKind[this.#crowdKind];
      else if (edit.edit === 'put') this.#entry(edit.who).courses.add(edit.course);
      else {
        const entry = this.#people.get(edit.who);
        if (!entry) continue;
        if (edit.edit === 'leave') this.#people.delete(edit.who);
        else if (edit.edit === 'quit') entry.courses.delete(edit.course);
        else if (edit.edit === 'email') entry.email = edit.email;
        else if (edit.edit === 'id') entry.id = edit.id;
        else if (edit.edit === 'rename') entry.name += 1;
        else if (edit.edit === 'year') entry.year = 3 - entry.year;
        else if (edit.edit === 'turn') entry.kind = otherKind[entry.kind];
        else if (edit.edit === 'odd') entry.odd = !entry.odd;
        else if (edit.edit === 'guest') entry.guest = entry.guest === 'no' ? edit.rows : 'no';
        else entry.broken = entry.broken === 'no' ? edit.leaves : 'no';
      }
    }
  }

  /** Nothing in it is in doubt any more, as far as one source can tell. */
  tidy(): void {
    this.#garbled = false;
    this.#empty = false;
    for (const entry of this.#people.values()) Object.assign(entry, { odd: false, broken: 'no' });
  }

  rows(): MemoryRow[] {
    if (this.#empty) return [];
    const rows: MemoryRow[] = this.#garbled ? [garbled] : [];
    for (const entry of this.#people.values())
      [...entry.courses].sort().forEach((course, at) => {
        const broken = at === 0 ? entry.broken : 'no';
        const year = broken === 'id and e-mail' ? 'x' : String(entry.odd && at === 0 ? 5 : entry.year);
        const email = broken === 'id' ? 'nowhere' : `e${entry.email}@x.edu`;
        const id = broken === 'e-mail' ? unreadableId : entry.id === null || !this.#ids ? '' : `i${entry.id}`;
        const guest = entry.guest === 'all' || (entry.guest === 'first' && at === 0);
        rows.push([
          kinds[entry.kind],
          ...courses[course]!.slice(1),
          `N${entry.name}`,
          guest ? 'guest' : 'L',
          email,
          year,
          id,
        ]);
      });
    for (let n = 0; n < this.#crowd; n += 1)
      rows.push([
        kinds[this.#crowdKind],
        ...courses[0]!.slice(1),
        'Crowd',
        'L',
        `crowd${n}@x.edu`,
        '1',
        this.#ids ? `crowd${n}` : '',
      ]);
    return rows;
  }
}

/** Rows as the model takes them; the same row twice is one. */
export function rowsOf(source: string, rows: readonly MemoryRow[]): { good: GoodRow[]; bad: BadRow[] } {
  const good: GoodRow[] = [];
  const bad: BadRow[] = [];
  for (const row of new Map(rows.map((one) => [JSON.stringify(one), one])).values()) {
    if (typeof row === 'string') {
      bad.push({ source, id: null, email: null });
      continue;
    }
    const [kind, department, course, name, last, email, year, id] = row as string[];
    const who = { id: id === '' || id === unreadableId ? null : id!, email: email === 'nowhere' ? null : email! };
    if (year === 'x' || id === unreadableId || who.email === null) bad.push({ source, ...who });
    else
      good.push({
        source,
        ...who,
        email: who.email,
        name: name!,
        year: Number(year),
        kind: kind === kinds.student ? 'student' : 'staff',
        course: ['F', department, course].join('\u001f'),
        reason: last !== 'guest',
      });
  }
  return { good, bad };
}

export function shuffled(rows: readonly MemoryRow[], how: Shuffle): MemoryRow[] {
  if (how === 'as is') return [...rows];
  if (how === 'reversed') return rows.toReversed();
  return [...rows, ...rows.filter((_, at) => at % 2 === 0)];
}

const who = fc.nat(7);
const course = fc.nat(2);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ edit: fc.constant('put' as const), who, course }) },
  { weight: 3, arbitrary: fc.record({ edit: fc.constant('quit' as const), who, course }) },
  { weight: 5, arbitrary: fc.record({ edit: fc.constant('leave' as const), who }) },
  { weight: 4, arbitrary: fc.record({ edit: fc.constant('email' as const), who, email: who }) },
  {
    weight: 2,
    arbitrary: fc.record({ edit: fc.constant('id' as const), who, id: fc.option(fc.nat(5), { freq: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant('rename' as const), who }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant('year' as const), who }) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constant('turn' as const), who }) },
  { weight: 1, arbitrary: fc.constant({ edit: 'recode' as const }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant('odd' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      edit: fc.constant('guest' as const),
      who,
      rows: fc.constantFrom<'all' | 'first'>('all', 'all', 'first'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      edit: fc.constant('break' as const),
      who,
      leaves: fc.constantFrom<Readable>('id and e-mail', 'id', 'e-mail'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ edit: 'garble' as const }) },
  { weight: 1, arbitrary: fc.constant({ edit: 'empty' as const }) },
);

function editText(one: Edit): string {
  if (one.edit === 'put') return `+p${one.who}@C${one.course + 1}`;
  if (one.edit === 'quit') return `-p${one.who}@C${one.course + 1}`;
  if (one.edit === 'leave') return `-p${one.who}`;
  if (one.edit === 'email') return `p${one.who}.email=e${one.email}`;
  if (one.edit === 'id') return `p${one.who}.id=${one.id === null ? 'none' : `i${one.id}`}`;
  if (one.edit === 'guest') return `guest p${one.who} (${one.rows} of the rows)`;
  if (one.edit === 'break') return `break p${one.who} (leaves ${one.leaves})`;
  return 'who' in one ? `${one.edit} p${one.who}` : one.edit;
}

export function actText(act: Act, names: readonly string[]): string {
  if (act.act === 'scope') return `scope ${act.scope}`;
  if (act.act === 'wait') return `wait ${act.hours} h`;
  const name = names[act.source % names.length]!;
  if (act.act === 'approve') return `approve ${name}${act.right ? '' : ' with a wrong digest'}`;
  if (act.act === 'reject') return `reject ${name}`;
  const extra = act.shuffle === 'as is' ? '' : `, rows ${act.shuffle}`;
  return `${name} ${act.how}${extra}: ${act.edits.map(editText).join(' ') || 'the same again'}`;
}

const source = fc.nat(3);
const dropOf = (how: fc.Arbitrary<'complete' | 'incomplete' | 'dry' | 'nothing new'>, most: number) =>
  fc.record({
    act: fc.constant('drop' as const),
    source,
    edits: fc.array(edit, { maxLength: most }),
    how,
    shuffle: fc.constantFrom<Shuffle>('as is', 'as is', 'reversed', 'repeated'),
  });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 12, arbitrary: dropOf(fc.constant('complete'), 4) },
  { weight: 3, arbitrary: dropOf(fc.constantFrom('incomplete', 'dry', 'dry', 'nothing new'), 3) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('approve' as const), source, right: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('reject' as const), source }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('scope' as const), scope: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('wait' as const), hours: fc.constantFrom(1, 100, 168, 169) }) },
);
const firstDrop = dropOf(fc.constant('complete'), 8);

/** A whole story: how the site is set up, and what happens. */
export interface Story {
  sources: readonly string[];
  /** The one of the sources that knows no ids. */
  nameless: string | null;
  guarded: boolean;
  archive: boolean;
  crowd: number;
  acts: Act[];
}

/** `longest`: most acts after the first two drops. */
export function stories(longest: number): fc.Arbitrary<Story> {
  return fc
    .record({
      sources: fc.constantFrom(['sis', 'hr'], ['sis', 'hr', 'guests'], ['sis', 'hr', 'guests', 'alumni']),
      nameless: fc.constantFrom(null, null, 'sis', 'hr'),
      guarded: fc.boolean(),
      archive: fc.boolean(),
      crowd: fc.constantFrom(0, 0, 40),
      acts: fc
        .tuple(firstDrop, firstDrop, fc.array(act, { maxLength: longest, size: 'max' }))
        .map(([a, b, more]): Act[] => [{ ...a, source: 0 }, { ...b, source: 1 }, ...more]),
    })
    .map((story) => ({ ...story, [fc.toStringMethod]: () => storyText(story) }));
}

function storyText({ sources, nameless, guarded, archive, crowd, acts }: Story): string {
  const how = `${guarded ? 'usual limits' : 'no limits'}, ${crowd} more people, empty courses ${archive ? 'archived' : 'kept'}`;
  const ids = nameless === null ? '' : ` (${nameless} without ids)`;
  return `\n  ${sources.join(', ')}${ids}; ${how}\n${acts.map((one) => `  - ${actText(one, sources)}`).join('\n')}\n`;
}
