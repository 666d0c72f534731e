import type { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Http, HttpRequest } from './http.ts';

/** What can happen to people, for targets that know nothing of courses by themselves. */
export const personChangeTypes = [
  'account.create',
  'account.enable',
  'account.update',
  'enrolment.add',
  'enrolment.remove',
  'account.disable',
] as const;

/** What can happen to the roster, in the order of a plan; the words of outbox and targets. A plan has one more: `planTypes`. */
export const changeTypes = ['course.create', ...personChangeTypes, 'course.archive'] as const;
export type ChangeType = (typeof changeTypes)[number];

/** A course by its three names. Names are exact; `courseKey` makes one string of them. */
export interface CourseName {
  faculty: string;
  department: string;
  course: string;
}

/** A person's account as it stands after a change. */
export interface AccountFacts {
  /** Ten digits: 950… for students, 951… for faculty and staff. Never changes, never reused. */
  account: string;
  /** The institution's id; null where the records have none. */
  id: string | null;
  /** What stays when the id is renamed, for rosterd itself; left out where no source has one. */
  alias?: string;
  email: string;
  firstName: string;
  lastName: string;
  kind: 'student' | 'staff';
  year: number | null;
  status: 'active' | 'disabled';
  attributes: Record<string, string>;
}

/** One outbox item on its way to one target. The change is a state to reach, so sending it twice does no harm. */
export interface DeliveryItem {
  /** Stable over restarts and retries: (plan, position, target). */
  item: string;
  type: ChangeType;
  /** The person after the change; null for course changes. */
  account: AccountFacts | null;
  /** The course of an enrolment or course change; null for account changes. */
  course: CourseName | null;
  /** Names of the fields that an `account.update` changed. */
  changed: readonly string[];
  /** Values of the changed fields before, where they were known; null where there was nothing before. */
  before: Partial<AccountFacts> | null;
  /**
   * With an `account.update` of the kind of a person: the courses that they were enrolled in at that moment. Targets whose
   * enrolments have a role take back the old one and give the new one.
   */
  enrolments?: readonly CourseName[];
  /** True when an e-mail came from the institution by id match, and so counts as confirmed. */
  emailConfirmed: boolean;
}

/** What the target said to one item. `answer` is the target's own words, shown to people. */
export type ItemResult =
  | { item: string; outcome: 'sent'; answer: string | null }
  /** Refused for good. */
  | { item: string; outcome: 'failed'; answer: string }
  /**
   * Not now: the item is tried again, after `delayMs` when the target said so. `attempted: false`: it was not asked about,
   * or the target takes nothing of anybody, so that this does not count towards `giveUpAfter`; or, where it is `taken` as
   * well, the target has it, and has answered that it does not show yet.
   */
  | { item: string; outcome: 'retry'; answer: string; delayMs?: number; attempted?: false; taken?: true };

/**
 * The door was shut in the middle of a batch, and nobody should try before a person acted; what was answered before counts, for
 * it has its effect. `results`: of all items, `retry` for those that were not answered. `cause`: why, a `Denied` or
 * `Misconfigured`.
 */
export class Shut extends Error {
  readonly results: readonly ItemResult[];
  constructor(results: readonly ItemResult[], cause: unknown) {
    super('the door was shut in the middle of a batch', { cause });
    this.results = results;
  }
}

/** The whole roster, standing still while it is read. A list may be read more than once. */
export interface RosterView {
  /** By account number; disabled accounts too, whose enrolments are few or none. */
  people(): AsyncIterable<{ account: AccountFacts; enrolments: readonly CourseName[] }>;
  courses(): AsyncIterable<CourseName & { status: 'known' | 'enrolled' | 'vanished' | 'archived' }>;
}

/** A request as it would be sent, down to its bytes. */
export interface PreviewedRequest {
  method: HttpRequest['method'];
  /** Whole address. What is known only on the way stands in braces, such as `{job}`. */
  url: string;
  /** Lower-case names. Secrets are never shown: their place says `{secret}`. */
  headers: Record<string, string>;
  /** The bytes of the body; null: none. */
  body: Uint8Array | null;
  /** What a packed body holds, by name, for people. */
  files?: Record<string, string>;
  /** The items that it carries; none for steps that only lead there. */
  items: readonly string[];
}

/**
 * The items of one delivery, in their order. They may be read more than once. A large batch is read from a file each time,
 * so that only the item in hand is in memory: whoever can do with less than all of them at once keeps it so.
 */
export interface DeliveryBatch extends Iterable<DeliveryItem> {
  readonly length: number;
}

/** An open session with a target. */
export interface TargetSession {
  /**
   * Delivers a batch of at most `batchSize` items and answers for each. A batch holds at most one item per subject
   * (account, or account and course) and keeps the order of the outbox; account items must reach the target before
   * enrolment items of the same batch. Throws `Unavailable` when the whole batch has to be tried again, `Denied` or
   * `Misconfigured` when nobody should try before a person acted, `Shut` when a part was answered before that.
   */
  deliver(items: DeliveryBatch): Promise<ItemResult[]>;
  /**
   * In place of `deliver`, of a target that `wantsRoster`: brings the whole roster, of which the items are the news, and
   * answers for each item as `deliver` does. `still` keeps the roster as it is for as long as `read` takes: read it to a
   * file, and send that afterwards. `remaster`: a person wants everything applied anew, not only what differs; there may
   * be no items then.
   */
  deliverRoster?(
    still: <T>(read: (roster: RosterView) => Promise<T>) => Promise<T>,
    items: DeliveryBatch,
    asked?: { remaster?: boolean },
  ): Promise<ItemResult[]>;
  close(): Promise<void>;
}

/** What a target connector is handed. It never sees the store. */
export interface TargetContext {
  /** The target's name in the configuration. */
  target: string;
  /** The institution's name in the configuration. */
  institution: string;
  /** Bound to the abort signal and the time-outs; errors of the network arrive as `Unavailable` or `Denied`. */
  http: Http;
  signal: AbortSignal;
  clock: Clock;
  log: Log;
  /**
   * What this session leaves to the later ones with the same platform: made by the first that asks, and the same object for
   * all. It lasts as long as the process, over a reload too, and no longer: nothing may go wrong for want of it.
   */
  keep<T extends object>(make: () => T): T;
  /** A short sentence on what is waited for. To say another one now and then shows that a long wait is not stuck. */
  progress(text: string): void;
  /** An empty directory of the session's own, for what is too large to be held; gone when the session is. */
  spoolDir: string;
}

/** A target connector: a declaration and a session. */
export interface TargetConnector<S = unknown> {
  kind: string;
  direction: 'target';
  description: string;
  settings: z.ZodType<S>;
  /**
   * Which platform it is, for people and to tell it from others: its address (see `plainAddress`), and what is behind that
   * address where there are several. Never a secret, and nothing that only says how is sent.
   */
  address(settings: S): string;
  /** Change types that this target takes; others are never queued for it, nor sent where they were queued before. */
  accepts(settings: S): readonly ChangeType[];
  /** Most items of one `deliver` call. */
  batchSize(settings: S): number;
  /** True: `deliverRoster` instead of `deliver`. Left out: never. */
  wantsRoster?(settings: S): boolean;
  open(settings: S, context: TargetContext): Promise<TargetSession>;
  /**
   * The requests that `deliver` would make of these items, with the very bytes, and nothing sent: made by the functions
   * that `deliver` makes them by. `about` says what of the context the requests depend on.
   */
  preview(
    settings: S,
    about: { target: string; institution: string },
    items: readonly DeliveryItem[],
  ): PreviewedRequest[];
  /** Logs in and says in a few sentences what it found. Changes nothing. */
  probe(settings: S, context: TargetContext): Promise<string[]>;
}

/** One string for a course, for keys and order. Unit separators cannot occur in names: normalisation refuses them. */
export function courseKey(name: CourseName): string {
  return `${name.faculty}\u001f${name.department}\u001f${name.course}`;
}

/** A course as people write it: `Engineering / Mechanical Engineering / Car Design`. */
export function courseTitle(name: CourseName): string {
  return `${name.faculty} / ${name.department} / ${name.course}`;
}
