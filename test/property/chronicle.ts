// So many lines because every step is held against every rule in one place: what is expected hangs on all that was before.
import { Misconfigured, Rejected } from '../../src/base/errors.ts';
import { historyOf } from '../../src/operate/history.ts';
import type { Run } from '../../src/store/port.ts';
import { type Member, noLimits, Site, type View } from '../support/history.ts';
import type { MemoryRow } from '../support/memory-source.ts';
import {
  type BadRow,
  connected,
  type GoodRow,
  isAnybody,
  judge,
  type ModelAccount,
  type Person,
  sameName,
} from './model.ts';
import { type Act, Book, inScope, rowsOf, type Shuffle, type Story, scopes, shuffled, storyFormat } from './story.ts';

export const usualLimits = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };

/** What a source said last, as far as it counts. */
interface InForce {
  answer: MemoryRow[];
  good: GoodRow[];
  bad: BadRow[];
}
const nothing: InForce = { answer: [], good: [], bad: [] };

/** Lets a story happen at a site and holds every step against the rules. What is wrong is found in `complaints`. */
export class Chronicle {
  readonly site: Site;
  readonly complaints: string[] = [];
  readonly #sources: readonly string[];
  readonly #guarded: boolean;
  readonly #books: Book[];
  scope = 0;
  /** The scope that the roster stands under, and how often it became another one. */
  #entered = { scope: -1, times: 0 };
  /** How often it had, when everybody of a source was last looked at. */
  readonly #looked = new Map<string, number>();
  /** The last complete answer of each source, and the one that it replaced. */
  readonly #now = new Map<string, InForce>();
  readonly #before = new Map<string, InForce>();
  /** Answer that a source gives when it is asked again. */
  readonly #last = new Map<string, MemoryRow[]>();
  /** Which source an active account and an enrolment is from: the base of its limits. */
  readonly #giver = new Map<string, string>();
  /** Rows of the snapshot in force, as its run counted them. */
  readonly #rows = new Map<string, number>();
  /** What each source gave since removals of it wait, and the rows that it had before. */
  readonly #givenSince = new Map<string, { accounts: number; enrolments: number; rows: number }>();
  /** Sources of which a person has approved what an empty answer takes. */
  readonly #emptyApproved = new Set<string>();
  /** Removals that no person approved. */
  readonly #removed: { source: string; at: number; disables: number; unenrolments: number; kinds: number }[] = [];

  constructor(story: Story) {
    this.#sources = story.sources;
    this.#guarded = story.guarded;
    this.#books = story.sources.map((name, at) => new Book(at === 0 ? story.crowd : 0, name !== story.nameless));
    this.site = new Site({
      sources: story.sources,
      limits: story.guarded ? usualLimits : noLimits,
      emptyCourses: story.archive ? 'archive' : 'keep',
      format: storyFormat,
    });
    this.site.setScope(scopes[0]!);
  }

  nameOf(act: { source: number }): string {
    return this.#sources[act.source % this.#sources.length]!;
  }

  /** The rows that a drop will have; its edits are done by this. */
  answerOf(act: Act & { act: 'drop' }): MemoryRow[] {
    const book = this.#books[act.source % this.#books.length]!;
    book.change(act.edits);
    return shuffled(book.rows(), act.shuffle);
  }

  async step(act: Act): Promise<void> {
    if (act.act === 'wait') this.site.time += act.hours * 3_600_000;
    else if (act.act === 'scope') {
      this.scope = act.scope;
      this.site.setScope(scopes[act.scope]!);
    } else if (act.act === 'drop') await this.drop(this.nameOf(act), this.answerOf(act), act.how);
    else await this.#decide(this.nameOf(act), act.act === 'approve' ? (act.right ? 'approve' : 'mistake') : 'reject');
  }

  async drop(source: string, answer: MemoryRow[], how: (Act & { act: 'drop' })['how']): Promise<Run> {
    const before = await this.site.look();
    const heldBefore = (await this.site.held(source)) !== null;
    const said = how === 'complete' || how === 'dry' ? answer : how;
    const run = await this.site.run(source, said, how === 'dry');
    const after = await this.site.look();
    this.#always(before, after);
    const again = how === 'nothing new' && this.#looksAgain(source, heldBefore);
    const expected = { incomplete: 'failed', 'nothing new': again ? null : 'skipped', dry: null, complete: null }[how];
    if (expected && run.status !== expected) this.#say(`${how} pull ended as ${run.status}`);
    if (run.status === 'running' || run.error?.kind === 'Unexpected') this.#say(`run: ${JSON.stringify(run.error)}`);
    if (again) return this.#checkAgain(source, run, before, after);
    if (how === 'dry') this.#unchanged('dry run', before, after);
    else if (how !== 'complete' || run.status === 'failed') this.#unchanged(`${how} pull`, before, after);
    if (how !== 'complete') return run;

    const rows = rowsOf(source, answer);
    const old = this.#now.get(source) ?? nothing;
    const rowsBefore = this.#rows.get(source) ?? 0;
    // A drop that nobody can read a row of is no snapshot, nor is an empty one that would change something.
    const unreadable = rows.bad.length > 0 && !rows.good.length;
    const emptied = answer.length === 0 && old.good.length > 0 && !this.#emptyApproved.has(source);
    if (run.status === 'failed' ? !unreadable && !emptied : unreadable)
      this.#say(`a run with ${rows.good.length} good and ${rows.bad.length} bad rows ended as ${run.status}`);
    if (run.status === 'failed') return run;
    const refused = this.#checkGuards(source, run, before, rows, this.#now.has(source) ? old.good.length : null);
    this.#enter(source, !refused && rows.good.length > 0);
    this.#last.set(source, answer);
    if (refused) this.#unchanged('an empty snapshot', before, after, ['pending', 'held']);
    else {
      this.#emptyApproved.delete(source);
      this.#now.set(source, { answer, ...rows });
      this.#rows.set(source, run.snapshot.records + run.snapshot.quarantined);
      if (JSON.stringify(old.answer) !== JSON.stringify(answer)) this.#before.set(source, old);
      this.#checkAdditions(source, old, before, after);
    }
    const took = this.#checkRemovals(`run of ${source}`, source, before, after, [...old.good, ...old.bad]);
    if (took.disables + took.unenrolments + took.kinds && run.heldTypes.length)
      this.#say('a held run took something away');
    if (!run.heldTypes.length && took.kinds !== (run.changes['account.kind'] ?? 0))
      this.#say(`${took.kinds} people are of another kind`);
    this.#removed.push({ source, at: this.site.time, ...took });
    this.#give(source, before, after);
    this.#noteGiven(source, run, rowsBefore);
    return run;
  }

  /** `everybody`: false: the answer was empty, which leaves everybody to the next one. */
  #enter(source: string, everybody: boolean): void {
    const { scope, times } = this.#entered;
    if (scope !== this.scope) this.#entered = { scope: this.scope, times: times + 1 };
    if (everybody) this.#looked.set(source, this.#entered.times);
    else if (this.#looked.get(source) !== this.#entered.times) this.#looked.set(source, -1);
  }

  /** True when the last answer of a source that has nothing new to say has to be looked at again: the scope is another one. */
  #looksAgain(source: string, held: boolean): boolean {
    const { good } = this.#now.get(source) ?? nothing;
    const { scope, times } = this.#entered;
    const edited = scope !== this.scope || this.#looked.get(source) !== times;
    return edited && good.length > 0 && !held && !this.#emptyApproved.has(source);
  }

  /** Under another scope an old answer gives whoever is in it what it takes in, and takes what it leaves out: nothing else. */
  #checkAgain(source: string, run: Run, before: View, after: View): Run {
    if (!['applied', 'unchanged', 'held'].includes(run.status) || run.snapshot.complete)
      this.#say(`a look at an old answer ended as ${run.status}, complete: ${run.snapshot.complete}`);
    const its = this.#now.get(source)!;
    this.#checkGuards(source, run, before, its, its.good.length);
    for (const person of this.#persons(before.members))
      if (!person.conflict && person.rows.some((row) => row.source === source))
        this.#checkPerson(person, after.members, 'at least');
    const took = this.#checkRemovals(`a look of ${source}`, source, before, after, []);
    if (took.disables) this.#say(`a look of ${source} at its old answer disabled somebody`);
    for (const old of before.members) {
      const now = after.members.find((one) => one.account === old.account)!;
      if (old.enrolments.some((key) => !now.enrolments.includes(key) && inScope(key, this.scope)))
        this.#say(`a look of ${source} at its old answer took a course from ${text([old])}`);
    }
    this.#enter(source, true);
    this.#removed.push({ source, at: this.site.time, ...took });
    this.#give(source, before, after);
    this.#noteGiven(source, run, this.#rows.get(source)!);
    return run;
  }

  async #decide(source: string, how: 'approve' | 'mistake' | 'reject'): Promise<void> {
    const before = await this.site.look();
    const held = await this.site.held(source);
    const run = held ?? (await this.site.store.runs.list({ source, limit: 1 }))[0];
    if (!run) return;
    try {
      if (how === 'reject') await this.site.reject(run.run);
      else await this.site.approve(run.run, how === 'approve' ? (run.digest ?? '') : '0'.repeat(64));
      if (!held || how === 'mistake') this.#say(`${how} of ${run.run} passed`);
    } catch (error) {
      if (!(error instanceof Misconfigured) && !(error instanceof Rejected)) throw error;
      if (held && how !== 'mistake' && !(error instanceof Rejected)) this.#say(`${how} refused: ${error.message}`);
      this.#unchanged(`refused ${how}`, before, await this.site.look());
      return;
    }
    const after = await this.site.look();
    this.#always(before, after);
    if (how === 'reject') this.#unchanged('reject', before, after, ['held']);
    else {
      await this.#checkApproved(source, run, before, after);
      this.#givenSince.delete(source);
      if (run.guards.some(({ guard, held }) => guard === 'empty-snapshot' && held)) this.#emptyApproved.add(source);
      else this.#emptyApproved.delete(source);
    }
    this.#give(source, before, after);
  }

  /** `rows`: of the snapshot before. */
  #noteGiven(source: string, { heldTypes, blocked, plan, changes }: Run, rows: number): void {
    if (plan === null) return;
    if (!heldTypes.length && !blocked) {
      this.#givenSince.delete(source);
      return;
    }
    const since = this.#givenSince.get(source) ?? { accounts: 0, enrolments: 0, rows };
    since.accounts += (changes['account.create'] ?? 0) + (changes['account.enable'] ?? 0);
    since.enrolments += changes['enrolment.add'] ?? 0;
    this.#givenSince.set(source, since);
  }

  /** Exactly what the plan says is gone, and nothing else is different. */
  async #checkApproved(source: string, run: Run, before: View, after: View): Promise<void> {
    const expected = structuredClone(before.members);
    for await (const change of historyOf(this.site.rosterd).changes(run)) {
      const member = expected.find((one) => one.account === change.account?.account);
      if (!member || !run.heldTypes.includes(change.type)) continue;
      const { faculty, department, course } = change.course ?? {};
      if (change.type === 'account.disable') member.status = 'disabled';
      else if (change.type === 'account.kind') Object.assign(member, change.after);
      else if (change.type === 'enrolment.remove')
        member.enrolments = member.enrolments.filter((key) => key !== [faculty, department, course].join('\u001f'));
      else this.#say(`${change.type} was held`);
    }
    if (JSON.stringify(expected) !== JSON.stringify(after.members))
      this.#say(`approval of ${source}:\n${text(expected)}\nexpected, but\n${text(after.members)}`);
    this.#checkRemovals(`approval for ${source}`, source, before, after, null);
  }

  /** Facts that hold whatever happened. */
  #always(before: View, after: View): void {
    const twice = (values: (string | null)[]): boolean => {
      const some = values.filter((value) => value !== null);
      return new Set(some).size !== some.length;
    };
    if (twice(after.members.map((one) => one.email))) this.#say('two accounts have one e-mail');
    if (twice(after.members.map((one) => one.id))) this.#say('two accounts have one id');
    for (const { faculty, department, course, status } of after.courses) {
      const key = [faculty, department, course].join('\u001f');
      const inIt = after.members.filter((one) => one.enrolments.includes(key));
      if (status === 'archived' && inIt.length) this.#say(`${course} is archived, and in it are\n${text(inIt)}`);
    }
    for (const old of before.members) {
      const now = after.members.find((one) => one.account === old.account);
      if (!now) this.#say(`account ${old.account} is gone`);
      else if (old.id !== null && now.id !== old.id) this.#say(`account ${old.account} has another id`);
      else if (now.status === 'disabled' && old.status === 'active')
        if (text([{ ...now, status: 'active', enrolments: [] }]) !== text([{ ...old, enrolments: [] }]))
          this.#say(`disabling ${old.account} changed more than its status`);
    }
  }

  #unchanged(what: string, before: View, after: View, but: readonly string[] = []): void {
    const seen = (view: View): string =>
      JSON.stringify(view, (key, value) => (but.includes(key) ? undefined : (value as unknown)));
    if (seen(before) !== seen(after)) this.#say(`${what} changed something`);
  }

  /** Limits by exact arithmetic, on what this story gave. True when the snapshot was refused as empty. */
  #checkGuards(
    source: string,
    run: Run,
    before: View,
    { good, bad }: { good: GoodRow[]; bad: BadRow[] },
    recordsBefore: number | null,
  ): boolean {
    const disables = run.changes['account.disable'] ?? 0;
    const unenrolments = run.changes['enrolment.remove'] ?? 0;
    const kinds = run.changes['account.kind'] ?? 0;
    const mine = (key: string): boolean => this.#giver.get(key) === source;
    const accounts = before.members.filter((one) => one.status === 'active' && mine(one.account)).length;
    const enrolments = before.members.flatMap((one) => one.enrolments.filter((c) => mine(one.account + c))).length;
    const week = this.#removed.filter((one) => one.source === source && one.at >= this.site.time - 7 * 86_400_000);
    const past = (kind: 'disables' | 'unenrolments' | 'kinds'): number => week.reduce((sum, one) => sum + one[kind], 0);
    const { percent, atLeast, window } = this.#guarded ? usualLimits : noLimits;
    // What came since removals wait did not stand before them; but no more than all of something can go.
    const since = this.#givenSince.get(source) ?? { accounts: 0, enrolments: 0, rows: 0 };
    // Nor does it speak for more than it has rows, now or the time before.
    const rows = Math.max(run.snapshot.records + run.snapshot.quarantined, this.#rows.get(source) ?? 0, since.rows);
    const stood = (now: number, stands: number, given: number): number =>
      Math.max(Math.min(stands, rows) - given, Math.min(now, stands));
    const over = (now: number, stood: number, earlier: number): boolean => {
      return (
        now > 0 &&
        ((now > atLeast && BigInt(now) * 100n > BigInt(stood * percent)) ||
          BigInt(now + earlier) * 100n > BigInt((stood + earlier) * window.percent))
      );
    };
    // A first snapshot may name people whom others gave.
    const names = new Set([...good, ...bad].map(({ id, email }) => id ?? email).filter((name) => name !== null)).size;
    const empty = !good.length && !!recordsBefore && !this.#emptyApproved.has(source) && disables + unenrolments > 0;
    const held =
      empty ||
      over(disables, stood(disables, accounts, since.accounts), past('disables')) ||
      over(unenrolments, stood(unenrolments, enrolments, since.enrolments), past('unenrolments')) ||
      over(kinds, recordsBefore === null ? names : stood(kinds, accounts, since.accounts), past('kinds'));
    if (held !== (run.status === 'held'))
      this.#say(
        `${disables} of ${accounts} accounts and ${unenrolments} of ${enrolments} enrolments, ${kinds} of another kind: ${held ? 'not ' : ''}held`,
      );
    return empty;
  }

  /** Whoever comes with new rows and is not in conflict is there afterwards, whatever else is held or in doubt. */
  #checkAdditions(source: string, old: InForce, before: View, after: View): void {
    const known = new Set(old.good.map((row) => JSON.stringify(row)));
    for (const person of this.#persons(before.members))
      if (!person.conflict && person.rows.some((row) => row.source === source && !known.has(JSON.stringify(row))))
        this.#checkPerson(person, after.members, 'at least');
  }

  #persons(accounts: readonly ModelAccount[]): Person[] {
    const good = [...this.#now.values()].flatMap((one) => one.good);
    return judge(good, accounts, this.#sources);
  }

  #checkPerson(person: Person, members: readonly Member[], how: 'exactly' | 'at least'): void {
    const { id, top, rows } = person;
    const who = `${id ?? top.email}`;
    const reasons = rows.filter(({ reason }) => reason);
    const wanted = [...new Set(reasons.map((row) => row.course))].filter((key) => inScope(key, this.scope)).sort();
    const account = members.find((one) =>
      person.account ? one.account === person.account.account : one.email === top.email,
    );
    if (!account) {
      if (wanted.length) this.#say(`${who} has no account`);
      return;
    }
    if (!reasons.length) {
      const ended = account.status === 'disabled' && !account.enrolments.length;
      if (how === 'exactly' && !ended) this.#say(`nobody has a reason for ${text([account])}`);
      return;
    }
    if (account.status !== 'active') this.#say(`${who} is not active`);
    const unread = person.account !== null && this.#isUnread(person, members);
    // A change of kind may wait, or somebody else has to come to an end first: then the whole update is not expected yet.
    const { kind, status } = person.account ?? { kind: top.kind, status: 'active' };
    const waits = how === 'at least' && status === 'active' && kind !== top.kind && account.kind === kind;
    if (waits) {
      if (!wanted.every((key) => account.enrolments.includes(key))) this.#say(`${who} is not in [${wanted}]`);
      return;
    }
    if (!unread && account.kind !== top.kind) this.#say(`${who} should be ${top.kind}, is ${account.kind}`);
    if (!unread && (account.email !== top.email || account.firstName !== top.name || account.year !== top.year))
      this.#say(`${who} should be ${JSON.stringify(top)}, is ${text([account])}`);
    if (id !== null && account.id !== id) this.#say(`${who} has the id ${account.id}`);
    const has = how === 'exactly' ? account.enrolments : account.enrolments.filter((key) => wanted.includes(key));
    if (String(has) !== String(wanted)) this.#say(`${who} is in [${has}], should be in [${wanted}]`);
  }

  /** A source that comes before all who speak of the person has a row that may be about them, and that nobody can read. */
  #isUnread({ top, rows }: Person, members: readonly Member[]): boolean {
    const place = (source: string): number => this.#sources.indexOf(source);
    const inForce = [...this.#now.values()];
    const good = inForce.flatMap((one) => one.good);
    const bad = inForce.flatMap((one) => one.bad);
    const near = rows.flatMap((row) => connected(row, [...good, ...bad, ...members]));
    return bad
      .filter(({ source }) => !top.reason || place(source) < place(top.source))
      .some((row) => isAnybody(row, [...good, ...members]) || near.includes(row));
  }

  /**
   * Nobody loses anything that a row or a doubt could explain. `went`: the rows that the run replaced; null for an
   * approval, which a person has thought about.
   */
  #checkRemovals(what: string, source: string, before: View, after: View, went: (GoodRow | BadRow)[] | null) {
    const approved = went === null;
    const took = { disables: 0, unenrolments: 0, kinds: 0 };
    const sources = [...this.#now].filter(([name]) => !approved || name !== source).map(([, one]) => one);
    const good = sources.flatMap((one) => one.good);
    const bad = sources.flatMap((one) => one.bad);
    const conflicts = this.#persons(before.members).filter((person) => person.conflict);
    for (const old of before.members) {
      const now = after.members.find((one) => one.account === old.account)!;
      const lost = old.enrolments.filter((key) => !now.enrolments.includes(key));
      const disabled = old.status === 'active' && now.status === 'disabled';
      took.unenrolments += lost.length;
      took.disables += disabled ? 1 : 0;
      took.kinds += old.status === 'active' && now.kind !== old.kind ? 1 : 0;
      if (!disabled && !lost.length) continue;
      const say = (why: string): void => this.#say(`${what} took from ${old.id ?? old.email}, but ${why}`);
      // What is out of scope goes whatever any row says.
      if (approved && !disabled && !lost.some((key) => inScope(key, this.scope))) continue;
      const rows = good.filter((row) => row.reason && sameName(row, old));
      if (disabled && rows.length) say('there is a row that is a reason');
      if (rows.some((row) => lost.includes(row.course) && inScope(row.course, this.scope))) say('the course is there');
      if (bad.some((row) => sameName(row, old))) say('there is a quarantined row');
      if (approved) continue;
      if (bad.some((row) => isAnybody(row, [...good, ...before.members]) && row.source === source))
        say('there is a row that could be anybody');
      const near = connected(old, [...good, ...bad, ...went, ...before.members]);
      if (bad.some((row) => near.includes(row))) say('a quarantined row may be about this person');
      if (conflicts.some((person) => person.rows.some((row) => near.includes(row)))) say('there is a conflict');
    }
    return took;
  }

  #give(source: string, before: View, after: View): void {
    for (const now of after.members) {
      const old = before.members.find((one) => one.account === now.account);
      if (now.status === 'active' && old?.status !== 'active') this.#giver.set(now.account, source);
      for (const key of now.enrolments) if (!old?.enrolments.includes(key)) this.#giver.set(now.account + key, source);
    }
  }

  #say(complaint: string): void {
    this.complaints.push(complaint);
  }

  /** Removes every doubt that is one row's own. */
  async tidy(): Promise<void> {
    for (const [at, source] of this.#sources.entries()) {
      this.#books[at]!.tidy();
      if (this.#now.has(source)) await this.drop(source, this.#books[at]!.rows(), 'complete');
    }
  }

  /** The same drops again and every held plan approved, until nothing changes any more. */
  async settle(): Promise<void> {
    for (let round = 0, rest = 0; round < 12; round += 1) {
      const before = JSON.stringify((await this.site.look()).members);
      let quiet = true;
      for (const source of this.#sources) {
        const answer = this.#last.get(source);
        if (!answer) continue;
        const run = await this.drop(source, answer, 'complete');
        // an empty answer that nobody can approve is refused for as long as it comes
        const refused = run.status === 'failed' && answer.length === 0;
        if (run.status !== 'unchanged' && run.status !== 'applied' && !refused) quiet = false;
        if (run.status === 'held') await this.#decide(source, 'approve');
      }
      // A question that one source has settled is told to the others by their next run only.
      rest = quiet && JSON.stringify((await this.site.look()).members) === before ? rest + 1 : 0;
      if (rest === 2) return;
    }
    this.#say('it does not come to rest');
  }

  /** What the last complete snapshots say is what the roster says, except where there is doubt. */
  async checkEnd(): Promise<void> {
    const { members, courses, outbox } = await this.site.look();
    const persons = this.#persons(members);
    const inForce = [...this.#now.values()];
    const gone = [...this.#before].flatMap(([source, old]) => {
      const now = this.#now.get(source)!;
      const still = new Set([...now.good, ...now.bad].map((row) => JSON.stringify(row)));
      return [...old.good, ...old.bad].filter((row) => !still.has(JSON.stringify(row)));
    });
    const bad = inForce.flatMap((one) => one.bad);
    const good = inForce.flatMap((one) => one.good);
    const all = [...good, ...bad, ...gone, ...members];
    const conflicts = persons.filter((person) => person.conflict).flatMap((person) => person.rows);
    const doubt = (who: { id: string | null; email: string }): boolean =>
      bad.some((row) => isAnybody(row, [...good, ...members])) ||
      connected(who, all).some((one) => bad.includes(one as BadRow) || conflicts.includes(one as GoodRow));
    for (const person of persons)
      if (!person.conflict) this.#checkPerson(person, members, person.rows.some(doubt) ? 'at least' : 'exactly');
    const matched = new Set(persons.map((person) => person.account?.account));
    for (const member of members)
      if (!matched.has(member.account) && !doubt(member) && (member.status === 'active' || member.enrolments.length))
        this.#say(`${text([member])} is in no snapshot and should be disabled`);

    for (const { faculty, department, course, status } of courses) {
      const key = [faculty, department, course].join('\u001f');
      const there = good.some((row) => row.course === key);
      const scoped = inScope(key, this.scope) ? 'enrolled' : 'known';
      if (there && status !== scoped) this.#say(`${course} is ${status}, should be ${scoped}`);
      // a course may be that of a row which nobody can read
      if (there || bad.length) continue;
      const last = outbox.findLast((item) => item.course === key && item.account === null)?.type;
      const expected = last === 'course.archive' ? 'archived' : 'vanished';
      if (status !== expected) this.#say(`${course} has no rows and is ${status}, should be ${expected}`);
    }
  }
}

function text(members: readonly Member[]): string {
  return members
    .map(({ account, id, email, firstName, year, kind, status, enrolments }) =>
      [
        account,
        id,
        email,
        firstName,
        year,
        kind,
        status,
        `[${enrolments.map((key) => key.split('\u001f').at(-1))}]`,
      ].join(' '),
    )
    .join('\n');
}

export type { Shuffle };
