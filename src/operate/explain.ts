import { type CourseName, courseKey, courseTitle } from '../connector/target.ts';
import type { Evidence } from '../reconcile/evidence.ts';
import {
  type Account,
  type Change,
  type CourseEntry,
  changeRank,
  type EvidenceRow,
  keysOf,
  type Note,
  type PlanType,
} from '../reconcile/model.ts';
import { changeOf, courseDigest, type PlannedChange } from '../reconcile/plan.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { lowered } from '../snapshot/formats/text.ts';
import type { Hints } from '../snapshot/record.ts';
import type { OutboxItem, Plan, Run, Store } from '../store/port.ts';
import { NotFound } from './control/errors.ts';
import { waitingRuns } from './waiting.ts';

/** Why somebody, or a course, is as it is: rows, rules, changes, and what each target answered. Nothing is changed. */

/** Everything that is known about whom was asked for. */
export interface Explanation {
  who: string;
  /** Usually one; several where an id of one is the e-mail of another. None of a course, or of who never got one. */
  accounts: Account[];
  /** Null: it was not a course that was asked for. `enrolled`: accounts. `rows`: true when a source names it now. */
  course: (CourseEntry & { enrolled: number; rows: boolean }) | null;
  /** Rows of all sources about these people; `gone`: in the snapshot before the one in force, and no longer. */
  rows: ExplainedRow[];
  /** What is in the way of changes now. */
  open: (Note & { source: string })[];
  /** Newest first, as far as runs are kept. */
  history: ExplainedChange[];
  /** True: there are older changes than were asked for. */
  more: boolean;
  /** What the queue has besides: of older changes, or of a target that was filled. */
  items: ExplainedItem[];
}

/** A row that somebody is known by. Of one that cannot be read there is what its person may be looked up by. */
export type ExplainedRow = Pick<EvidenceRow, 'source' | 'state' | 'record' | 'origin'> & { hints: Hints | null };

/** An item of the queue, as far as it tells what became of a change. */
export type ExplainedItem = Pick<OutboxItem, 'target' | 'item' | 'type' | 'status' | 'attempts' | 'answer' | 'trail'>;

/** A change, what became of it, and what it came to at each target. */
export interface ExplainedChange extends Change {
  run: string;
  source: string;
  at: string;
  /** `other`: the run failed, or is not at its end. */
  became: 'applied' | 'waits' | 'replaced' | 'rejected' | 'planned' | 'other';
  /** Items that are kept; none for a target that takes no such change. */
  targets: ExplainedItem[];
}

const runsAtOnce = 50;
/** More enrolments than one plan changes of a person, and more notes and items than anybody has. */
const many = 10_000;

/**
 * Explains a person (by account number, id or e-mail) or a course (by its three names with " / " between). `limit`: changes.
 * Throws `NotFound` when nothing is known under that name.
 */
export async function explain(rosterd: Rosterd, who: string, limit: number): Promise<Explanation> {
  const course = courseIn(who);
  return course ? explainCourse(rosterd, who, course, limit) : explainPerson(rosterd, who, limit);
}

function courseIn(who: string): CourseName | null {
  const [faculty, department, ...rest] = who.split(' / ');
  return rest.length && faculty && department ? { faculty, department, course: rest.join(' / ') } : null;
}

async function explainPerson(rosterd: Rosterd, who: string, limit: number): Promise<Explanation> {
  const { store } = rosterd;
  const { accounts, rows } = await lookUp(store, namesOf(who));
  const numbers = new Set(accounts.map(({ account }) => account));
  // what retention has of somebody who has no account yet, or none that is kept, is found by the number alone
  if (!accounts.length && !rows.length && !isNumber(who)) throw nobody(who);
  if (isNumber(who)) numbers.add(who);
  const people = [...numbers];
  const changes = await changesAbout(rosterd, people, people, limit);
  if (!accounts.length && !rows.length && !changes.history.length) throw nobody(who);
  const open: Explanation['open'] = [];
  for (const { source, pending } of await store.sources.all())
    for (const note of pending === null ? [] : await store.plans.notes(pending, many))
      if (isAbout(note, numbers, rows)) open.push({ ...note, source });
  return { who, accounts, course: null, rows: rows.map(rowOf), open, ...changes };
}

function rowOf({ source, state, record, hints: { number, id, email }, origin }: EvidenceRow): ExplainedRow {
  return { source, state, record, hints: record ? null : { number, id, email }, origin };
}

/** A note names an account, or only the rows of somebody who has none. */
function isAbout(note: Note, numbers: ReadonlySet<string>, rows: readonly EvidenceRow[]): boolean {
  if (note.account !== null) return numbers.has(note.account);
  return note.rows.some((one) =>
    rows.some(({ origin }) => origin.source === one.source && origin.file === one.file && origin.line === one.line),
  );
}

async function explainCourse(rosterd: Rosterd, who: string, course: CourseName, limit: number): Promise<Explanation> {
  const evidence = (await inForce(rosterd.store))[0]?.evidence;
  const key = courseKey(course);
  const entry = (await evidence?.courses())?.find((one) => courseKey(one) === key);
  if (!evidence || !entry)
    throw new NotFound(`there is no course ${courseTitle(course)}`, {
      remedy: 'rosterd export courses lists them; names are exact',
    });
  const enrolled = (await evidence.enrolmentCounts([key])).get(key) ?? 0;
  const rows = (await evidence.coursesWithRows([key])).has(key);
  const changes = await changesAbout(rosterd, [courseDigest(course)], [`course ${key}`], limit);
  return { who, accounts: [], course: { ...entry, enrolled, rows }, rows: [], open: [], ...changes };
}

/** Rows and accounts under the names, and under all names that these have. */
async function lookUp(store: Store, names: readonly string[]): Promise<{ accounts: Account[]; rows: EvidenceRow[] }> {
  const all = await inForce(store);
  const accounts = async (keys: readonly string[]) => (await all[0]?.evidence.accounts(keys)) ?? [];
  // evidence tells what is gone of one source only
  const rows = async (keys: readonly string[]) => {
    const found: EvidenceRow[] = [];
    for (const { source, evidence } of all)
      found.push(...(await evidence.rows(keys)).filter((row) => row.source === source));
    return found;
  };
  const keys = new Set(names);
  for (const { account, ...facts } of await accounts(names))
    for (const key of keysOf({ ...facts, number: account })) keys.add(key);
  for (const { record, hints } of await rows(names)) for (const key of keysOf(record ?? hints)) keys.add(key);
  return { accounts: await accounts([...keys]), rows: await rows([...keys]) };
}

/** What planning would be told of each source whose snapshot is in force. */
async function inForce(store: Store): Promise<{ source: string; evidence: Evidence }[]> {
  const states = await store.sources.all();
  return states.flatMap(({ source, current }) =>
    current === null ? [] : { source, evidence: store.rows.evidence(source, current) },
  );
}

function isNumber(who: string): boolean {
  return /^95[01]\d{7}$/.test(who);
}

function namesOf(who: string): string[] {
  return [...(isNumber(who) ? [`n:${who}`] : []), `i:${who}`, ...(who.includes('@') ? [`e:${lowered(who)}`] : [])];
}

function nobody(who: string): NotFound {
  return new NotFound(`nobody is known as ${who}`, {
    remedy: 'give an account number, an id, an e-mail, or a course as "Faculty / Department / Course"',
  });
}

/** Changes whose keys begin with one of these, newest first, each with its items. `people`: as the queue names them. */
async function changesAbout(
  rosterd: Rosterd,
  keys: readonly string[],
  people: readonly string[],
  limit: number,
): Promise<Pick<Explanation, 'history' | 'more' | 'items'>> {
  const { store } = rosterd;
  const waiting = await waitingRuns(rosterd);
  const items = people.length ? await store.outbox.list({ people, limit: many }) : [];
  const history: ExplainedChange[] = [];
  const all = (more: boolean) => {
    const told = new Set(history.flatMap(({ targets }) => targets.map(({ item }) => item)));
    return { history, more, items: items.filter(({ item }) => !told.has(item)).map(itemOf) };
  };
  for (let skip = 0; keys.length; skip += runsAtOnce) {
    const runs = await store.runs.list({ skip, limit: runsAtOnce });
    for (const run of runs) {
      const plan = run.plan === null ? null : await store.plans.get(run.plan);
      for (const planned of plan ? await changesIn(store, plan, keys) : []) {
        if (history.length === limit) return all(true);
        history.push(explained(run, plan!, planned, waiting, items));
      }
    }
    if (runs.length < runsAtOnce) break;
  }
  return all(false);
}

/** The changes of a plan whose keys are these, or begin with one and a slash; the last ones first. */
async function changesIn(store: Store, plan: Plan, keys: readonly string[]): Promise<PlannedChange[]> {
  const types = Object.keys(plan.counts) as PlanType[];
  const found: PlannedChange[] = [];
  for (const [rank, its] of [...Map.groupBy(types, (type) => changeRank[type])].sort(([a], [b]) => b - a))
    for (const key of keys) {
      // just before the first key that could be meant: keys are of digits, letters and slashes
      const before = String.fromCharCode(key.charCodeAt(key.length - 1) - 1);
      let after = { rank, key: `${key.slice(0, -1)}${before}~` };
      for (;;) {
        const page = await store.plans.changes(plan.plan, its, after, 20);
        const meant = page.filter((one) => one.key === key || one.key.startsWith(`${key}/`));
        found.push(...meant);
        if (page.length < 20 || meant.length < page.length) break;
        after = { rank, key: page.at(-1)!.key };
      }
    }
  return found;
}

function explained(
  run: Run,
  { plan }: Plan,
  planned: PlannedChange,
  waiting: ReadonlySet<string>,
  items: readonly OutboxItem[],
): ExplainedChange {
  const prefix = `${plan}:${planned.rank}:${planned.key}:`;
  return {
    ...changeOf(planned),
    ...{ run: run.run, source: run.source, at: run.startedAt, became: fateOf(run, planned.type, waiting) },
    targets: items.filter(({ item }) => item.startsWith(prefix)).map(itemOf),
  };
}

function itemOf({ target, item, type, status, attempts, answer, trail }: OutboxItem): ExplainedItem {
  return { target, item, type, status, attempts, answer, trail };
}

function fateOf(run: Run, type: PlanType, waiting: ReadonlySet<string>): ExplainedChange['became'] {
  if (run.dryRun) return 'planned';
  if (run.heldTypes.includes(type)) {
    if (run.decision) return run.decision.verdict === 'approved' ? 'applied' : 'rejected';
    return waiting.has(run.run) ? 'waits' : 'replaced';
  }
  return run.status === 'applied' || run.status === 'held' ? 'applied' : 'other';
}
