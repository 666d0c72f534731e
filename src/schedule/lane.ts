import type { Clock } from '../base/clock.ts';
import { delayOf, failureOf, Unavailable } from '../base/errors.ts';
import type { EventName, Level, Said } from '../base/events.ts';
import type { Log } from '../base/log.ts';
import type { Work } from '../base/work.ts';
import type { ServiceConfig } from '../configure/config.ts';
import type { RunOrder } from '../run/record.ts';
import { type BreakerState, begun, closedUntil, type Failure, failed, healthy, undecided, waits } from './breaker.ts';
import type { Calendar } from './calendar.ts';
import type { Heartbeat } from './heartbeat.ts';

/** What something at work is handed: its own two signals, see `Work`, and where its words go. */
export type LaneHand = Pick<Work, 'signal' | 'abort' | 'progress'>;

/**
 * How a turn ended, as far as the next one is concerned. `undecided`: it came to no end of its own. `waits`: it went well, and
 * another has to follow for what was put off.
 */
export type Verdict = 'good' | 'undecided' | { waits: Failure } | Failure;

/** What makes a lane one of a source, or one of a target. */
export interface LaneJob<R> {
  /** As in the log: `source` or `target`, and its name. */
  kind: 'source' | 'target';
  name: string;
  work(order: RunOrder, hand: LaneHand): Promise<R>;
  judge(result: R): Verdict;
  /** A turn is over, and the next may have begun; `result` is null when it threw. Never throws. */
  ended(order: RunOrder, result: R | null): void;
}

/** What a reload may change. */
export interface LaneRules {
  calendar: Calendar | null;
  /** True: a failed turn is tried again by itself. */
  retries: boolean;
  policy: ServiceConfig['retry'];
}

/** What every lane works with. */
export interface LaneTools {
  clock: Clock;
  log: Log;
  heartbeat: Heartbeat;
  /** Begins something when there is room, first come first served. */
  slot<T>(begin: () => Promise<T>): Promise<T>;
}

/** A turn that waits: everything that came since the one before began, in one. */
interface Turn<R> {
  order: RunOrder;
  since: Date;
  /** A person asked: nothing but the end of the service keeps it from running. */
  asked: boolean;
  /** Scheduled times in it. */
  dues: number;
  /** Times that something joined it. */
  joined: number;
  result: PromiseWithResolvers<R>;
}

/** Where a lane stands. */
export interface LaneStatus {
  breaker: BreakerState;
  /** When something comes by itself next; null: never, or nobody knows yet. */
  next: Date | null;
  /** The turn at work. */
  running: { trigger: string; dryRun: boolean; since: Date } | null;
  waiting: { trigger: string; dryRun: boolean; since: Date; joined: number }[];
}

/**
 * The turns of one source or one target. They never overlap:
 *
 *     idle ── it is due, or somebody asks ──▶ waiting ── a slot is free ──▶ at work ──▶ idle
 *                                               ▲                              │
 *                                               └── something came meanwhile ──┘
 *
 * What comes while one waits joins it; what comes while one is at work waits for its end, and is one turn, however much it
 * is. (Dry runs and others never join one another.) A due time is so served by a turn of its own, served together with
 * others, or skipped, which the log says with the reason. After a turn that failed, what came due meanwhile is skipped
 * (unless somebody has edited something meanwhile): what comes next is the breaker's to say. Who asks gets the turn's
 * result, or why there is none.
 */
export class Lane<R> {
  breaker: BreakerState = healthy;
  readonly #job: LaneJob<R>;
  readonly #tools: LaneTools;
  #rules: LaneRules;
  #due: Date | null = null;
  /** Why nothing may begin; null: it may. */
  #closed: string | null = null;
  #waiting: Turn<R>[] = [];
  /** `edited`: what it works with is no longer what is in force. */
  #hand: { turn: Turn<R>; since: Date; edited: boolean; soft: AbortController; hard: AbortController } | null = null;
  /** True while a turn waits for its slot. */
  #queued = false;
  #work: Promise<void> = Promise.resolve();

  constructor(job: LaneJob<R>, rules: LaneRules, tools: LaneTools) {
    this.#job = job;
    this.#rules = rules;
    this.#tools = tools;
  }

  /** Plans the next due time from now on. What is not due any more by then is forgotten on purpose. */
  plan(): void {
    this.#due = this.#closed === null ? (this.#rules.calendar?.next(this.#tools.clock.now()) ?? null) : null;
  }

  /** Other rules, or open again. Somebody has edited something, so what failed before says nothing any more. */
  open(rules: LaneRules): void {
    this.#rules = rules;
    this.#closed = null;
    this.breaker = healthy;
    if (this.#hand) this.#hand.edited = true;
    this.plan();
  }

  /** Nothing begins any more; what waits is dropped. What is at work goes on, and ends as it would. */
  close(reason: string): void {
    this.#closed = reason;
    this.#due = null;
    for (const turn of this.#waiting.splice(0)) this.#drop(turn, reason);
  }

  /** When the ticker has to look again; null: not before something changes. */
  get wakeAt(): Date | null {
    if (this.#closed !== null) return null;
    const { retryAt } = this.breaker;
    const retry = this.#hand || this.#waiting.length ? null : retryAt;
    if (!retry || !this.#due) return retry ?? this.#due;
    return retry < this.#due ? retry : this.#due;
  }

  /** Does what is due. */
  tick(now: Date): void {
    if (this.#due && this.#due <= now) this.#comeDue(this.#due, now);
    const { retryAt } = this.breaker;
    if (this.#closed === null && retryAt && retryAt <= now && !this.#hand && !this.#waiting.length)
      this.byItself('retry');
  }

  #comeDue(due: Date, now: Date): void {
    const { calendar } = this.#rules;
    this.#due = calendar?.next(due) ?? null;
    if (this.#due && this.#due <= now) {
      // the machine slept, or its clock was put forward
      this.#due = calendar?.next(now) ?? null;
      const text = `scheduled times since ${due.toISOString()} went by, they are made up for once`;
      this.#say('warn', { event: 'schedule.missed', due }, text);
    }
    this.byItself('schedule', due);
  }

  /** Something is to be done that nobody asked for; the breaker may be against it. */
  byItself(trigger: string, due?: Date): void {
    if (this.#closed !== null) return;
    const until = closedUntil(this.breaker, this.#tools.clock.now());
    if (until)
      this.#skip(`${trigger}: after failures nothing is tried before ${until.toISOString()}`, due ? 1 : 0, due);
    else this.#add({ trigger, dryRun: false, ...(due && { due }) }, false, due);
  }

  /** Somebody asks. Rejects when nothing comes of it. */
  ask(order: RunOrder): Promise<R> {
    if (this.#closed !== null) return Promise.reject(new Unavailable(`${this.#job.name}: ${this.#closed}`));
    return this.#add(order, true).result.promise;
  }

  /** Asks what is at work to end after the batch in hand. */
  stop(reason: Error): void {
    this.#hand?.soft.abort(reason);
  }

  /** Cuts what is at work. */
  cut(reason: Error): void {
    this.stop(reason);
    this.#hand?.hard.abort(reason);
  }

  get busy(): boolean {
    return this.#hand !== null;
  }

  /** Resolves when what is at work now has ended, however it ends. */
  get settled(): Promise<void> {
    return this.#work;
  }

  get status(): LaneStatus {
    const running = this.#hand && { ...shown(this.#hand.turn), since: this.#hand.since };
    const waiting = this.#waiting.map((turn) => ({ ...shown(turn), since: turn.since, joined: turn.joined }));
    return { breaker: this.breaker, next: this.wakeAt, running, waiting };
  }

  #add(order: RunOrder, asked: boolean, due?: Date): Turn<R> {
    const there = this.#waiting.find((turn) => turn.order.dryRun === order.dryRun);
    const turn = there ?? {
      ...{ order, since: this.#tools.clock.now(), asked, dues: 0, joined: 0 },
      result: Promise.withResolvers<R>(),
    };
    turn.asked ||= asked;
    if (due) turn.dues += 1;
    const facts = { trigger: order.trigger, dryRun: order.dryRun, due: due ?? null };
    if (there) {
      turn.joined += 1;
      this.#say(
        this.#often,
        { event: 'schedule.joined', ...facts },
        `${order.trigger}: joins the run that waits already`,
      );
    } else {
      // whoever asked hears of it; whoever did not listen must not end the process
      turn.result.promise.catch(() => {});
      this.#waiting.push(turn);
      if (this.#hand)
        this.#say(
          this.#often,
          { event: 'schedule.after', ...facts },
          `${order.trigger}: one run is on, another follows it once`,
        );
      else this.#say('debug', { event: 'schedule.waits', ...facts }, `${order.trigger}: waits for its turn`);
    }
    this.#pump();
    return turn;
  }

  #pump(): void {
    if (this.#queued || this.#hand || !this.#waiting.length) return;
    this.#queued = true;
    void this.#tools.slot(() => {
      this.#queued = false;
      const turn = this.#next();
      // dropped while it waited
      if (!turn) return Promise.resolve();
      this.#work = this.#begin(turn);
      return this.#work;
    });
  }

  /** The first turn that may begin now; the breaker may have opened while it waited. */
  #next(): Turn<R> | null {
    const until = closedUntil(this.breaker, this.#tools.clock.now());
    for (let turn = this.#waiting.shift(); turn; turn = this.#waiting.shift()) {
      if (turn.asked || !until) return turn;
      this.#drop(turn, `after failures nothing is tried before ${until.toISOString()}`);
    }
    return null;
  }

  /** One turn, whole. Never rejects. */
  async #begin(turn: Turn<R>): Promise<void> {
    const { clock, heartbeat } = this.#tools;
    const [soft, hard] = [new AbortController(), new AbortController()];
    const hand = { turn, since: clock.now(), edited: false, soft, hard };
    this.#hand = hand;
    if (!turn.order.dryRun) this.breaker = begun(this.breaker);
    const beat = heartbeat.begin(`${this.#job.kind} ${this.#job.name}`);
    this.#say('debug', { event: 'schedule.begins', ...shown(turn), dues: turn.dues }, `${turn.order.trigger}: begins`);
    let result: R | null = null;
    let verdict: Verdict;
    try {
      result = await this.#job.work(turn.order, {
        signal: hand.soft.signal,
        abort: hand.hard.signal,
        progress: (_who, text) => beat.progress(text),
      });
      verdict = this.#job.judge(result);
      turn.result.resolve(result);
    } catch (error) {
      verdict = hand.soft.signal.aborted ? 'undecided' : told(error);
      if (verdict !== 'undecided') this.#threw(verdict, error);
      turn.result.reject(error);
    }
    beat.end();
    this.#hand = null;
    if (!turn.order.dryRun && !this.#isOutdone(verdict, hand.edited)) this.#conclude(verdict);
    this.#pump();
    this.#job.ended(turn.order, result);
  }

  /**
   * True for a failure with what somebody has edited since, when a turn waits that tries what is there now: it says no more
   * than the failures before. Where none waits it counts, or nothing would try again.
   */
  #isOutdone(verdict: Verdict, edited: boolean): boolean {
    return (
      edited && typeof verdict === 'object' && 'kind' in verdict && this.#waiting.some(({ order }) => !order.dryRun)
    );
  }

  #conclude(verdict: Verdict): void {
    const was = this.breaker;
    const now = this.#tools.clock.now();
    const { retries, policy } = this.#rules;
    const circumstances = { now, nextDue: this.#due, retries, policy };
    if (verdict === 'good') this.breaker = healthy;
    else if (verdict === 'undecided') this.breaker = undecided(was, circumstances);
    else if ('waits' in verdict) this.breaker = waits(verdict.waits, circumstances);
    else this.breaker = failed(was, verdict, circumstances);
    const { state, failures, retryAt, notBefore, failure } = this.breaker;
    if (typeof verdict === 'string' || 'waits' in verdict) {
      if (was.state !== 'closed' && state === 'closed')
        this.#say('info', { event: 'schedule.closed', failures: was.failures }, 'works again');
      return;
    }
    const facts = { failures, retryAt, notBefore, error: failure };
    if (was.state === 'closed' && state === 'open')
      this.#say(
        'warn',
        { event: 'schedule.opened', ...facts },
        `failed ${failures} times in a row, left alone until ${notBefore!.toISOString()}`,
      );
    else if (state === 'open')
      this.#say(
        'info',
        { event: 'schedule.still-open', ...facts },
        `failed again, left alone until ${notBefore!.toISOString()}`,
      );
    else if (retryAt)
      this.#say('info', { event: 'schedule.retry', ...facts }, `tried again at ${retryAt.toISOString()}`);
    const stay = this.#waiting.filter((turn) => turn.asked);
    const drop = this.#waiting.filter((turn) => !turn.asked);
    this.#waiting = stay;
    const then = this.wakeAt;
    for (const turn of drop)
      this.#drop(
        turn,
        `the run that was on has failed; ${then ? `next at ${then.toISOString()}` : 'nothing follows by itself'}`,
      );
  }

  /** What a source or target did wrong is a result; this is the store, or a bug, which is logged with its stack. */
  #threw(failure: Failure, error: unknown): void {
    const bug = failure.kind === 'Unexpected' ? { err: error } : {};
    this.#say('error', { event: 'schedule.threw', error: failure, ...bug }, failure.message);
  }

  #drop(turn: Turn<R>, reason: string): void {
    this.#skip(`${turn.order.trigger}: ${reason}`, turn.dues);
    turn.result.reject(new Unavailable(`${this.#job.name}: ${reason}`));
  }

  #skip(reason: string, dues: number, due?: Date): void {
    this.#say(this.#often, { event: 'schedule.skipped', dues, due: due ?? null, reason }, reason);
  }

  /** Deliveries are set off by every run, which is not worth a line each time. */
  get #often(): 'debug' | 'info' {
    return this.#job.kind === 'target' ? 'debug' : 'info';
  }

  #say(level: Level, facts: { event: LaneEvent } & Record<string, unknown>, text: string): void {
    const { kind, name } = this.#job;
    const plain = Object.entries(facts).map(([key, value]) => [
      key,
      value instanceof Date ? value.toISOString() : value,
    ]);
    const said = { ...Object.fromEntries(plain), [kind]: name } as Said<LaneEvent>;
    (this.#tools.log.at as (level: Level, said: Said<LaneEvent>, text: string) => void)(
      level,
      said,
      `${name}: ${text}`,
    );
  }
}

type LaneEvent = EventName & `schedule.${string}`;

function shown({ order: { trigger, dryRun } }: { order: RunOrder }): { trigger: string; dryRun: boolean } {
  return { trigger, dryRun };
}

function told(error: unknown): Failure {
  return { ...failureOf(error), ...delayOf(error) };
}
