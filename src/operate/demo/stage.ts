import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Misconfigured } from '../../base/errors.ts';
import type { Stub } from '../../connector/stub.ts';
import type { Drop } from './sample.ts';

/** The directory that a demo works in: a configuration with its secrets, a folder for drops, and rosterd's state. */
export interface Stage {
  directory: string;
  config: string;
  /** True when the directory stays after the demo. */
  kept: boolean;
  /** Puts a drop into the folder, as an upload would. */
  deliver(drop: Drop): void;
  /** Removes the directory, unless it is to be kept. */
  clear(): void;
}

/** Sets the stage in a temporary directory, or in `keep`, which must be new or empty. */
export function setStage(keep: string | undefined): Stage {
  const directory = keep === undefined ? mkdtempSync(join(tmpdir(), 'rosterd-demo-')) : resolve(keep);
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  if (readdirSync(directory).length)
    throw new Misconfigured(`${directory} is not empty`, { remedy: 'name a directory that is new or empty' });
  for (const folder of ['drops', 'secrets']) mkdirSync(join(directory, folder), { mode: 0o750 });
  return {
    directory,
    config: join(directory, 'rosterd.yaml'),
    kept: keep !== undefined,
    deliver: ({ name, text }) => writeFileSync(join(directory, 'drops', name), text),
    clear: () => {
      if (keep === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Where the other two systems of the demo are, and what they let us in by. */
export interface CampusStandIns {
  staff: { url: string; key: string };
  directory: { url: string; dn: string; password: string };
}

/** Writes the configuration for these stubs and stand-ins, and the secrets that it names. */
export function writeConfig({ directory, config }: Stage, stubs: readonly Stub[], campus: CampusStandIns): void {
  const url = (kind: string): string => stubs.find((stub) => stub.kind === kind)!.url;
  const quoted = (text: string): string => JSON.stringify(text);
  const secret = (name: string, value = `demo-${name}`): string => {
    const file = join(directory, 'secrets', name);
    writeFileSync(file, `${value}\n`, { mode: 0o600 });
    return `{ file: ${quoted(file)} }`;
  };
  writeFileSync(
    config,
    `# Written by rosterd demo: three sources and three targets, all on this machine. Guards are the default ones.
version: 1
institution: example-university
stateDir: ${quoted(join(directory, 'state'))}
roster:
  newCourses: provision
  emptyCourses: archive
sources:
  sis-students:
    kind: csv-drop
    from: ${quoted(pathToFileURL(join(directory, 'drops')).href)}
    files: students-*.csv
    settle: 0s
    format: unitu
  sis-staff:
    kind: sis-http
    url: ${campus.staff.url}
    auth: { kind: header, name: X-API-Key, value: ${secret('staff-key', campus.staff.key)} }
    records: items
    key: person.number
    paging: { kind: offset, size: 50 }
    total: { path: total }
    map:
      id: person.number
      firstName: { firstOf: [person.preferredName, person.name.given] }
      lastName: person.name.family
      email: contact.mail
      kind: { constant: staff }
      attributes: { unit: position.unit, title: position.title }
  directory:
    kind: ldap
    role: directory
    url: ${campus.directory.url}
    bindDN: ${campus.directory.dn}
    password: ${secret('directory-password', campus.directory.password)}
    base: ou=people,dc=example,dc=edu
    map:
      id: cn
      attributes: { phone: telephoneNumber, room: roomNumber }
targets:
  canvas:
    kind: canvas
    url: ${url('canvas')}
    token: ${secret('canvas-token')}
    pollEvery: 100ms
  salesforce:
    kind: salesforce
    url: ${url('salesforce')}
    clientId: demo
    clientSecret: ${secret('salesforce-secret')}
  peoplesoft:
    kind: peoplesoft
    url: ${url('peoplesoft')}
    auth: { username: ROSTERD, password: ${secret('peoplesoft-password')} }
    batch: 500
    concurrency: 8
`,
  );
}
