import { onTestFinished, vi } from 'vitest';
import { peoplesoft } from '../../connectors/peoplesoft/connector.ts';
import type { PeoplesoftSettings } from '../../connectors/peoplesoft/schema.ts';
import { peoplesoftStub } from '../../connectors/peoplesoft/stub.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openHttp } from '../../src/connector/http.ts';
import { type Stub, startStub } from '../../src/connector/stub.ts';
import type { TargetContext, TargetSession } from '../../src/connector/target.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { temporaryFolder } from './drop.ts';
import { itemsFor } from './items.ts';

/** What tests of the PeopleSoft target share: items, and the same operations in each shape. */

export { design } from './items.ts';
export const item = itemsFor('campus');

const person = {
  ACCOUNT: '{account}',
  EMPLID: '{id}',
  EMAIL_ADDR: '{email}',
  FIRST_NAME: '{firstName}',
  LAST_NAME: '{lastName}',
  PERSON_KIND: '{kind}',
  STUDY_YEAR: '{year}',
};
const enrolment = {
  ACCOUNT: '{account}',
  EMPLID: '{id}',
  COURSE_CODE: '{courseCode}',
  FACULTY: '{faculty}',
  DEPARTMENT: '{department}',
  COURSE: '{course}',
};
const persons = ['account.create', 'account.enable', 'account.update', 'account.disable'] as const;
const enrolments = ['enrolment.add', 'enrolment.remove'] as const;
const already = 'already exists';

/** A value for each change type. */
function each(make: (type: (typeof persons)[number] | (typeof enrolments)[number]) => object): Record<string, object> {
  return Object.fromEntries([...persons, ...enrolments].map((type) => [type, make(type)]));
}
const isPerson = (type: string): boolean => type.startsWith('account.');
const creates = (type: string): boolean => type === 'account.create' || type === 'enrolment.add';
const namespace = (ci: string): string => `http://xmlns.oracle.com/Enterprise/Tools/schemas/${ci}.V1`;
const ciOf = (type: string): string => (isPerson(type) ? 'RSTR_PERSON' : 'RSTR_ENRL');
const propertiesOf = (type: string): object =>
  isPerson(type)
    ? { ...person, STATUS: '{effStatus}' }
    : { ...enrolment, STATUS: type === 'enrolment.remove' ? 'I' : 'A' };

export const iscript =
  '/psc/campus/EMPLOYEE/SA/s/WEBLIB_SOAPTOCI.SOAPTOCI.FieldFormula.IScript_SOAPToCI?languageCd=ENG&disconnect=y&postDataBin=y';

const rowsetOf = (type: string): object => ({
  shape: 'rowset',
  empty: 'blank',
  message: `${ciOf(type)}_SYNC`,
  rows: [
    isPerson(type)
      ? {
          record: 'RSTR_PERSON',
          fields: { ...person, STUDY_YEAR: { type: 'NUMBER', value: '{year}' }, STATUS: '{status}' },
        }
      : { record: 'RSTR_ENRL', fields: enrolment },
  ],
});

/** The operations of a site, by the shape that it chose; all of them are served by the stub. */
export const shapes: Record<string, Record<string, object>> = {
  rest: {},
  'ci-rest': each((type) => ({
    shape: 'ci-rest',
    ci: ciOf(type),
    action: creates(type) ? 'C_POST' : 'UD_PUT',
    body: propertiesOf(type),
    empty: 'null',
    already,
  })),
  'ci-soap': each((type) => ({
    shape: 'ci-soap',
    ci: ciOf(type),
    action: creates(type) ? 'Create' : 'Update',
    soapAction: `CI_${ciOf(type)}_${creates(type) ? 'C' : 'UP'}.v1`,
    namespace: namespace(ciOf(type)),
    body: propertiesOf(type),
    empty: 'blank',
    already,
  })),
  iscript: each((type) => ({
    shape: 'ci-soap',
    via: 'iscript',
    path: iscript,
    ci: ciOf(type),
    action: creates(type) ? 'CREATE' : 'UPDATEDATA',
    attributes: { preserveblanks: 'Y', optionalKeys: 'Y' },
    body: propertiesOf(type),
    empty: 'blank',
    already,
  })),
  wsse: each((type) => ({
    shape: 'ci-soap',
    wsSecurity: true,
    ci: ciOf(type),
    action: creates(type) ? 'CREATE' : 'UPDATE',
    soapAction: `CI_${ciOf(type)}_${creates(type) ? 'C' : 'UP'}.v1`,
    namespace: namespace(ciOf(type)),
    body: propertiesOf(type),
    empty: 'blank',
    already,
  })),
  rowset: each((type) => ({
    ...rowsetOf(type),
    path: `/PSIGW/RESTListeningConnector/{node}/${ciOf(type)}_SYNC.v1`,
    async: true,
  })),
  'rowset-http': each((type) => ({
    ...rowsetOf(type),
    path: '/PSIGW/HttpListeningConnector',
    http: {
      operation: `${ciOf(type)}_SYNC.v1`,
      from: 'ROSTERD',
      to: 'PSFT_CS',
      password: { env: 'PS_NODE' },
      type: 'Async',
    },
    async: true,
  })),
};

const query = (name: string): object => ({
  path: `/PSIGW/RESTListeningConnector/{node}/ExecuteQuery.v1/public/${name}/JSON/NONFILE?isconnectedquery=N&maxrows=200&prompt_uniquepromptname=BIND1&prompt_fieldvalue={account}&json_resp=true`,
});

/** How a query reads back what a change of this type leads to. */
export function confirmOf(type: string): object {
  if (isPerson(type))
    return {
      read: query('RSTR_PERSON_CHECK'),
      at: '/data/query/rows/*',
      is: Object.fromEntries(
        Object.entries({ ...person, STATUS: '{status}' }).map(([name, value]) => [`A.${name}`, value]),
      ),
      lookFirst: true,
    };
  return {
    read: query('RSTR_ENRL_CHECK'),
    at: '/data/query/rows/*',
    is: { 'A.COURSE_CODE': '{courseCode}', 'A.STATUS': 'enrolled' },
    absent: type === 'enrolment.remove',
    lookFirst: true,
  };
}

/** The same operations, each read back. */
export function withConfirm(operations: Record<string, object>, more: object = {}): Record<string, object> {
  return each((type) => ({ ...operations[type], confirm: { ...confirmOf(type), ...more } }));
}

/** The services that are proposed, written out. */
export const restOperations = ((): Record<string, object> => {
  const chosen = peoplesoft.settings.parse({ url: 'https://x.example', auth: { bearer: { env: 'X' } } }).operations;
  return each((type) => {
    const { confirm: _, ...operation } = chosen[type];
    return operation;
  });
})();

/** A stub, and what is needed to open sessions with it; gone when the test is. */
export interface Site {
  stub: Stub;
  settings(more?: object): PeoplesoftSettings;
  open(settings: PeoplesoftSettings): Promise<TargetSession>;
  context: TargetContext;
  mode(body: object): Promise<void>;
  close(): Promise<void>;
  state(): {
    persons: Record<string, unknown>[];
    enrolments: Record<string, unknown>[];
    effects: string[];
    effectiveDated: Record<string, string[]>;
    monitor: string[];
    pending: number;
    requests: number;
  };
}

export async function openSite(clock: Clock = systemClock): Promise<Site> {
  vi.stubEnv('PS_PASSWORD', 's3cret');
  vi.stubEnv('PS_NODE', 'n0de');
  const stub = await startStub(peoplesoftStub);
  const http = openHttp(stub.url, new AbortController().signal);
  const close = async (): Promise<void> => {
    vi.unstubAllEnvs();
    await http.close();
    await stub.close();
  };
  onTestFinished(close);
  const context: TargetContext = {
    ...{ target: 'campus', institution: 'example-university', http, clock, log: silentLog },
    signal: new AbortController().signal,
    ...{ spoolDir: temporaryFolder(), keep: keeping() },
    progress() {},
  };
  return {
    ...{ stub, context, close },
    settings: (more = {}) =>
      peoplesoft.settings.parse({
        url: stub.url,
        auth: { username: 'ROSTERD', password: { env: 'PS_PASSWORD' } },
        ...more,
      }),
    open: (settings) => peoplesoft.open(settings, context),
    async mode(body) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${stub.url}/_stub/mode`, { method: 'POST', headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(await answer.text());
    },
    state: () => stub.state() as ReturnType<Site['state']>,
  };
}
