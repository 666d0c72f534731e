import { onTestFinished, vi } from 'vitest';
import { salesforce } from '../../connectors/salesforce/connector.ts';
import { salesforceStub } from '../../connectors/salesforce/stub.ts';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openHttp } from '../../src/connector/http.ts';
import { type Stub, startStub } from '../../src/connector/stub.ts';
import type {
  AccountFacts,
  ChangeType,
  CourseName,
  DeliveryItem,
  TargetContext,
  TargetSession,
} from '../../src/connector/target.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { steppedClock, temporaryFolder } from './drop.ts';

/** What tests of the Salesforce target share: an org, a target that writes to it, and items. */

type Rows = Record<string, unknown>[];
interface Seen {
  contacts: Rows;
  enrolments: Rows;
  accounts: Rows;
  terms: Rows;
  courses: Rows;
  offerings: Rows;
  connections: Rows;
  jobs: { id: string; state: string; object: string }[];
  requests: number;
}

/** An org of a test. */
export interface Site {
  stub: Stub;
  context: TargetContext;
  settings(more?: object): ReturnType<typeof salesforce.settings.parse>;
  open(more?: object): Promise<TargetSession>;
  seen(): Seen;
  /** Tells the stub how to behave. */
  post(control: string, body?: object): Promise<void>;
  /** Requests to the API, as `METHOD /path`, without the version. */
  asked(): string[];
}

/** Starts an org that is gone when the test is. Waits take no time, unless a clock is given. */
export async function salesforceSite(clock: Clock = steppedClock()): Promise<Site> {
  vi.stubEnv('SALESFORCE_SECRET', 's3cret');
  const stub = await startStub(salesforceStub);
  const abort = new AbortController();
  const http = openHttp(stub.url, abort.signal);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await http.close();
    await stub.close();
  });
  const context: TargetContext = {
    ...{ target: 'crm', institution: 'example-university', http, signal: abort.signal, clock, log: silentLog },
    ...{ spoolDir: temporaryFolder(), keep: keeping() },
    progress() {},
  };
  const settings = (more: object = {}) =>
    salesforce.settings.parse({
      ...{ url: stub.url, clientId: 'rosterd' },
      ...('jwt' in more ? {} : { clientSecret: { env: 'SALESFORCE_SECRET' } }),
      ...more,
    });
  return {
    ...{ stub, context, settings },
    open: (more) => salesforce.open(settings(more), context),
    seen: () => stub.state() as Seen,
    async post(control, body = {}) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${stub.url}/_stub/${control}`, {
        ...{ method: 'POST', headers, body: JSON.stringify(body) },
      });
      if (!answer.ok) throw new Error(`${control}: ${await answer.text()}`);
    },
    asked: () =>
      stub
        .requests()
        .filter(({ url }) => url.startsWith('/services/data/'))
        .map(({ method, url }) => `${method} ${url.replace(/^\/services\/data\/v\d+\.0/, '')}`),
  };
}

/** A course. */
export const design: CourseName = {
  faculty: 'Engineering',
  department: 'Mechanical Engineering',
  course: 'Car Design',
};

let counter = 0;

/** An item of one person, whose number ends in `n`. */
export function item(type: ChangeType, n: number, more: Partial<AccountFacts> = {}, course = design): DeliveryItem {
  counter += 1;
  const account = String(9_500_000_000 + n);
  return {
    item: `plan:${counter}:crm`,
    type,
    account: type.startsWith('course.')
      ? null
      : {
          ...{ account, id: `s-${n}`, email: `${account}@example.edu`, firstName: 'Ada', lastName: 'Byron' },
          ...{ kind: 'student', year: 2, status: type === 'account.disable' ? 'disabled' : 'active', attributes: {} },
          ...more,
        },
    course: type.startsWith('account.') ? null : course,
    ...{ changed: [], before: null, emailConfirmed: false },
  };
}
