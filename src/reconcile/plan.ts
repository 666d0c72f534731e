import { createHash, hash } from 'node:crypto';
import { type AccountFacts, type CourseName, courseKey } from '../connector/target.ts';
import { gatherComponents } from './component.ts';
import { type CourseRules, openCourseBook, planCourses } from './courses.ts';
import { takesAttribute } from './directory.ts';
import type { CourseDifference, Evidence, Touched } from './evidence.ts';
import { type GuardResult, guardDirectory, type Limits, measureGuards, noRemovals, removalsOf } from './guards.ts';
import {
  type Change,
  type CourseEntry,
  changeRank,
  isGone,
  isGuarded,
  isRemoval,
  keysOfAccount,
  type Note,
  type NumberIssuer,
  type PlanType,
  personKey,
  type RowOrigin,
  waitingKey,
} from './model.ts';
import { reconcileComponent } from './person.ts';

/** A change in its place. `rank` and `key` give its position: unique in the plan, and the same for the same change. */
export interface PlannedChange {
  rank: number;
  key: string;
  type: PlanType;
  /** The digested part of the change as JSON, made once: what is approved is what is applied, byte for byte. */
  body: string;
  rows: readonly RowOrigin[];
}

/** Where a plan is put while it is made; the store keeps it, so that a plan of a million changes needs no memory. */
export interface PlanSink {
  add(changes: readonly PlannedChange[]): Promise<void>;
  note(notes: readonly Note[]): Promise<void>;
  pending(keys: readonly string[]): Promise<void>;
  /** Everything added so far, by rank and key. */
  inOrder(): AsyncIterable<readonly PlannedChange[]>;
}

/** Everything that a plan follows from; the same input gives the same plan. */
export interface PlanInput {
  source: string;
  evidence: Evidence;
  touched: Touched;
  precedence: readonly string[];
  /** Sources that only fill in; see `directory.ts`. */
  directories: ReadonlySet<string>;
  /** See `PeopleRules`. */
  unread: ReadonlySet<string>;
  courseRules: CourseRules;
  courses: CourseDifference;
  /** True after the rules changed: courses are judged anew as well. */
  everything: boolean;
  blockAll: string | null;
  /** See `PeopleRules`. */
  answered: boolean;
  limits: Limits;
  records: { now: number; before: number | null };
  /** See `GuardInput`. */
  rows: number;
  /** See `GuardInput`. */
  givenSince: { accounts: number; enrolments: number };
  /** Next free number of each series, by prefix (`950`, `951`): seven digits. */
  numbers: Readonly<Record<string, number>>;
  /** The day of the run; only the sliding window looks at it. */
  today: Date;
  /** Called now and then with how many people have been looked at. */
  progress(people: number): void;
}

/** What a plan comes to. Its changes are in the sink. */
export interface PlanSummary {
  /** Hex SHA-256 over the changes in order; of an empty plan too. */
  digest: string;
  counts: Partial<Record<PlanType, number>>;
  guards: GuardResult[];
  /** An empty snapshot from which something would follow: it must not come into force. */
  refused: boolean;
  /** Types whose changes wait for a person. */
  heldTypes: PlanType[];
  conflicts: number;
  blocked: number;
  courses: { fresh: CourseName[]; vanished: CourseName[]; entries: CourseEntry[] };
}

/** Works out the plan. Same roster, snapshots and rules: same plan, byte for byte. */
export async function makePlan(input: PlanInput, sink: PlanSink): Promise<PlanSummary> {
  const { evidence } = input;
  const book = await openCourseBook(evidence, input.courseRules);
  const counts: Partial<Record<PlanType, number>> = {};
  const tally = new Map<string, number>();
  const issueNumber = numberIssuer(input.numbers);
  const directory = input.directories.has(input.source);
  const rules = {
    source: input.source,
    precedence: input.precedence,
    directories: input.directories,
    unread: input.unread,
    fillOnly: directory,
    inScope: book.inScope,
    isUndecided: book.isUndecided,
    blockAll: input.blockAll,
    answered: input.answered,
  };
  let losses = 0;
  let conflicts = 0;
  let blocked = 0;
  let people = 0;
  let keptBack = 0;
  const done = new Set<string>();
  const filled = new Set<string>();
  /** Accounts that got something filled in before they came by themselves: the same change is not counted twice. */
  const updated = new Set<string>();
  /** Accounts that came by themselves; only kept when more may come. */
  const looked = new AccountSet();
  const emptied = input.records.now === 0 && (input.records.before ?? 0) > 0;

  /** Pages of keys: of rows and of what was left; then of accounts that these did not lead to. */
  async function* pages(): AsyncGenerator<readonly string[]> {
    yield* input.touched.pages;
    // an empty answer is no word on people whom the one before did not name either
    if (directory || input.records.now === 0) return;
    for await (const page of input.touched.given) yield page.filter((key) => !looked.has(key.slice(2)));
  }

  const put = async (changes: readonly Change[]): Promise<void> => {
    for (const { type, course } of changes) {
      counts[type] = (counts[type] ?? 0) + 1;
      if (course && type === 'enrolment.add') bump(tally, course, 1);
      if (course && type === 'enrolment.remove') bump(tally, course, -1);
    }
    await sink.add(changes.map(placed));
  };

  for await (const page of pages()) {
    const keys = page.filter((key) => !done.has(key));
    const changes: Change[] = [];
    const notes: Note[] = [];
    const pending: string[] = [];
    const asked = new Set(keys);
    const gathered = await gatherComponents(keys, input.touched.own, evidence, input.directories);
    for (const one of gathered) {
      const { component } = one;
      // Reached only over an entry of a directory: at most what that fills in is this run's business, once; and nothing
      // where the people come by themselves, now or later.
      const meant = directory || [...one.keys].some((key) => asked.has(key));
      if (!meant) {
        const comes = [...one.keys].some((key) => input.touched.own.has(key) || filled.has(key));
        if (comes || (input.touched.everybody && component.rows.some((row) => row.source === input.source))) continue;
        for (const key of one.keys) filled.add(key);
      }
      // A component is judged once, at its first key; only keys that can come again are remembered. When everybody is
      // looked at, those of its own come a second time, at the end.
      const its = directory ? [...one.keys, ...one.entryKeys] : [...one.keys];
      for (const key of its)
        if (input.touched.own.has(key) && (input.touched.everybody || !asked.has(key))) done.add(key);
      if (input.touched.everybody && meant) {
        // Entries are not these people's own rows: whom else they name is yet to come.
        const own = component.rows.filter((row) => directory || !input.directories.has(row.source));
        const others = new Set(own.map((row) => personKey(row.record ?? row.hints)));
        if (others.size > 1) for (const key of others) if (key !== null) done.add(key);
        for (const { account } of component.accounts) looked.add(account);
      }
      const verdict = reconcileComponent(component, meant ? rules : { ...rules, fillOnly: true }, issueNumber);
      for (const change of verdict.changes) {
        if (change.type === 'account.update' && updated.has(change.account!.account)) continue;
        if (!meant) updated.add(change.account!.account);
        // What follows from an empty snapshot beside removals waits until it is in force, for it may never be.
        const takes = isRemoval(change.type) || (directory && takesAttribute(change));
        if (takes && directory) losses += 1;
        if (!emptied || takes) changes.push(change);
        else {
          keptBack += 1;
          pending.push(...keysOfAccount(change.account!).map(waitingKey));
        }
      }
      notes.push(...verdict.notes);
      pending.push(...verdict.pending);
    }
    conflicts += notes.filter((note) => note.kind === 'conflict').length;
    blocked += notes.filter((note) => note.kind === 'blocked').length;
    people += keys.length;
    await put(changes);
    if (notes.length) await sink.note(notes);
    if (pending.length) await sink.pending(pending);
    input.progress(people);
  }

  const guards = directory
    ? guardDirectory({ ...input, keptBack: keptBack + blocked }, losses)
    : await guard(input, counts, people, keptBack + blocked);
  const refused = guards.some((result) => result.guard === 'empty-snapshot' && result.held);
  // A refused snapshot says nothing of courses either; the removals of people are all that can be approved of it.
  const difference = refused ? { ...input.courses, added: [], gone: [] } : input.courses;
  const all = input.everything && !refused && !directory;
  const courses = await planCourses(evidence, input.courseRules, book, difference, tally, all);
  await put(courses.changes);
  if (courses.open.length) await sink.pending(courses.open.map((key) => `c:${key}`));

  const waits = guards.some((result) => result.held);
  // An update says in one piece what a directory gives and no longer gives, so its updates wait as a whole.
  const heldTypes = waits
    ? (Object.keys(counts) as PlanType[]).filter((type) => directory || isGuarded(type)).sort()
    : [];
  // A course whose people are held back is reported as vanished, and stays in the table until they are settled:
  // with the whole file back tomorrow it would otherwise come as new.
  const entries = waits ? courses.entries.filter((entry) => !isGone(entry)) : courses.entries;
  if (waits) await sink.pending(courses.vanished.map((course) => `c:${courseKey(course)}`));
  const digest = createHash('sha256');
  for await (const changes of sink.inOrder()) {
    for (const change of changes) digest.update(change.body).update('\n');
    // What waits must be looked at again by the next run, or a plan that is never approved would be forgotten.
    const held = changes.filter((change) => heldTypes.includes(change.type));
    if (held.length) await sink.pending(held.flatMap(heldKeys));
  }
  return {
    digest: digest.digest('hex'),
    counts: Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))),
    guards,
    refused,
    heldTypes,
    conflicts,
    blocked,
    courses: { fresh: courses.fresh, vanished: courses.vanished, entries },
  };
}

async function guard(
  input: PlanInput,
  counts: Partial<Record<PlanType, number>>,
  people: number,
  keptBack: number,
): Promise<GuardResult[]> {
  const removals = removalsOf(counts);
  // What stands is counted only when something is to go: the count is the one question that grows with the roster.
  const asks = removals.disables + removals.unenrolments + removals.kinds > 0;
  const since = new Date(input.today.getTime() - input.limits.window.days * 86_400_000);
  return measureGuards({
    limits: input.limits,
    removals,
    standing: asks ? await input.evidence.standing() : { accounts: 0, enrolments: 0 },
    earlier: asks ? await input.evidence.removedSince(since) : noRemovals,
    givenSince: input.givenSince,
    first: input.records.before === null ? people : null,
    records: input.records,
    rows: input.rows,
    keptBack,
  });
}

/** Puts a change in its place. The key needs no names: an account number, or a short digest of a course. */
function placed(change: Change): PlannedChange {
  const { rows, ...body } = change;
  const parts = [change.account?.account, change.course ? courseDigest(change.course) : undefined];
  return {
    rank: changeRank[change.type],
    key: parts.filter((part) => part !== undefined).join('/'),
    type: change.type,
    body: JSON.stringify(body),
    rows,
  };
}

/** Sixteen hex digits for a course, for keys. */
export function courseDigest(course: CourseName): string {
  return hash('sha256', courseKey(course), 'hex').slice(0, 16);
}

/** Reads a planned change back. */
export function changeOf(planned: Pick<PlannedChange, 'body' | 'rows'>): Change {
  return { ...effectOf(planned), rows: planned.rows };
}

/** What a planned change does, without where it comes from. */
export function effectOf(planned: Pick<PlannedChange, 'body'>): Omit<Change, 'rows'> {
  return JSON.parse(planned.body) as Omit<Change, 'rows'>;
}

function heldKeys(planned: PlannedChange): string[] {
  const { account, course } = effectOf(planned);
  return account ? keysOfAccount(account) : course ? [`c:${courseKey(course)}`] : [];
}

function bump(tally: Map<string, number>, course: CourseName, by: number): void {
  tally.set(courseKey(course), (tally.get(courseKey(course)) ?? 0) + by);
}

/** Account numbers, a bit for each: a roster of a million needs no more memory than one of a thousand. */
class AccountSet {
  readonly #series = new Map<string, Uint8Array>();
  add(account: string): void {
    const prefix = account.slice(0, 3);
    const bits = this.#series.get(prefix) ?? new Uint8Array(10_000_000 / 8);
    this.#series.set(prefix, bits);
    const number = Number(account.slice(3));
    bits[number >> 3]! |= 1 << (number & 7);
  }
  has(account: string): boolean {
    const number = Number(account.slice(3));
    return ((this.#series.get(account.slice(0, 3))?.[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }
}

/** The two series of account numbers (Corvus): 950 for students, 951 for faculty and staff, seven digits each. */
export const numberPrefix: Readonly<Record<AccountFacts['kind'], string>> = { student: '950', staff: '951' };

function numberIssuer(next: Readonly<Record<string, number>>): NumberIssuer {
  const free: Record<string, number> = { ...next };
  return (kind) => {
    const prefix = numberPrefix[kind];
    const number = free[prefix] ?? 1;
    if (number > 9_999_999) throw new Error(`the ${prefix} numbers are used up`);
    free[prefix] = number + 1;
    return `${prefix}${String(number).padStart(7, '0')}`;
  };
}
