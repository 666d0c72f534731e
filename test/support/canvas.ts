import { onTestFinished, vi } from 'vitest';
import { canvas } from '../../connectors/canvas/connector.ts';
import { type CanvasSettings, canvasSettings } from '../../connectors/canvas/schema.ts';
import type {
  StubAccount,
  StubCourse,
  StubEnrollment,
  StubSection,
  StubTerm,
  StubUser,
} from '../../connectors/canvas/stub/roster.ts';
import { canvasStub } from '../../connectors/canvas/stub.ts';
import { silentLog } from '../../src/base/log.ts';
import { openHttp } from '../../src/connector/http.ts';
import { type Stub, startStub } from '../../src/connector/stub.ts';
import type {
  AccountFacts,
  CourseName,
  DeliveryItem,
  ItemResult,
  RosterView,
  TargetContext,
  TargetSession,
} from '../../src/connector/target.ts';
import { courseKey } from '../../src/connector/target.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { steppedClock, temporaryFolder } from './drop.ts';

/** What tests of Canvas share: its stub, sessions with it, and a roster to deliver. */

export interface CanvasState {
  accounts: StubAccount[];
  terms: StubTerm[];
  users: StubUser[];
  courses: StubCourse[];
  sections: StubSection[];
  enrollments: StubEnrollment[];
  imports: {
    id: number;
    workflow_state: string;
    counts: Record<string, number>;
    remaster: boolean;
    compared_with: number | null;
  }[];
}

/** A stub that is gone when the test is. */
export async function canvasStubOfTest(): Promise<Stub> {
  vi.stubEnv('CANVAS_TEST_TOKEN', 'a-token');
  const stub = await startStub(canvasStub);
  onTestFinished(() => stub.close());
  return stub;
}

export const stateOf = (stub: Stub): CanvasState => stub.state() as CanvasState;

/** Settings and context for a stub; waits take no time. */
export function canvasParts(stub: Stub, more: object = {}): { settings: CanvasSettings; context: TargetContext } {
  const signal = new AbortController().signal;
  const http = openHttp(stub.url, signal);
  onTestFinished(() => http.close());
  const written = { url: stub.url, account: 1, token: { env: 'CANVAS_TEST_TOKEN' }, ...more };
  const context = { target: 'canvas', institution: 'example', http, signal, clock: steppedClock(), log: silentLog };
  return {
    settings: canvasSettings.parse(written),
    context: { ...context, spoolDir: temporaryFolder(), keep: keeping(), progress() {} },
  };
}

export async function canvasSession(stub: Stub, more: object = {}): Promise<TargetSession> {
  const { settings, context } = canvasParts(stub, more);
  return canvas.open(settings, context);
}

/** A roster in memory. */
export class TestRoster {
  readonly people = new Map<string, { account: AccountFacts; enrolments: Map<string, CourseName> }>();
  readonly courses = new Map<string, CourseName & { status: 'known' | 'enrolled' | 'vanished' | 'archived' }>();

  put(account: AccountFacts, ...enrolments: CourseName[]): this {
    this.people.set(account.account, { account, enrolments: new Map(enrolments.map((one) => [courseKey(one), one])) });
    for (const one of enrolments)
      if (!this.courses.has(courseKey(one))) this.courses.set(courseKey(one), { ...one, status: 'enrolled' });
    return this;
  }

  still = async <T>(read: (roster: RosterView) => Promise<T>): Promise<T> => {
    const people = [...this.people.values()].map(({ account, enrolments }) => ({
      account,
      enrolments: [...enrolments.values()],
    }));
    const courses = [...this.courses.values()];
    return read({
      people: async function* () {
        yield* people;
      },
      courses: async function* () {
        yield* courses;
      },
    });
  };
}

/** Delivers in `mode: full`. */
export function deliverFull(
  session: TargetSession,
  roster: TestRoster,
  items: readonly DeliveryItem[],
  asked?: { remaster?: boolean },
): Promise<ItemResult[]> {
  return session.deliverRoster!(roster.still, items, asked);
}
