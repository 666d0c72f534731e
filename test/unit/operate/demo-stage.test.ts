import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Stub } from '../../../src/connector/stub.ts';
import { readConfig } from '../../../src/daemon.ts';
import { totalsOf } from '../../../src/operate/demo/received.ts';
import { setStage, writeConfig } from '../../../src/operate/demo/stage.ts';
import { temporaryFolder } from '../../support/drop.ts';

const stub = (kind: string, state: unknown = {}): Stub => ({
  kind,
  url: 'http://127.0.0.1:4711',
  state: () => state,
  requests: () => [],
  setFaults() {},
  close: async () => {},
});
const stubs = ['canvas', 'salesforce', 'peoplesoft'].map((kind) => stub(kind));

describe('the stage of the demo', () => {
  it('is a configuration that is valid, also in a folder with an unusual name', () => {
    const stage = setStage(join(temporaryFolder(), 'a "demo" of 100 % #1'));
    writeConfig(stage, stubs, {
      staff: { url: 'http://127.0.0.1:2/v2/staff', key: 'k' },
      directory: { url: 'ldap://127.0.0.1:3', dn: 'cn=x,dc=y', password: 'p' },
    });
    const config = readConfig(stage.config);
    expect(config.targets.map(({ name }) => name)).toEqual(['canvas', 'salesforce', 'peoplesoft']);
    expect(config.sources.map(({ name, role }) => `${name} ${role}`)).toEqual([
      'sis-students authoritative',
      'sis-staff authoritative',
      'directory directory',
    ]);
    expect(config.sources[0]!.settings).toMatchObject({ from: { kind: 'file', path: join(stage.directory, 'drops') } });
    stage.deliver({ name: 'students-1.csv', text: 'faculty\r\n', people: 0, rows: 0 });
    expect(readFileSync(join(stage.directory, 'drops/students-1.csv'), 'utf8')).toBe('faculty\r\n');
    for (const secret of readdirSync(join(stage.directory, 'secrets')))
      expect(statSync(join(stage.directory, 'secrets', secret)).mode & 0o077).toBe(0);
  });

  it('is gone afterwards, unless it is to be kept', () => {
    const passing = setStage(undefined);
    passing.clear();
    expect(existsSync(passing.directory)).toBe(false);
    const kept = setStage(join(temporaryFolder(), 'new/folder'));
    kept.clear();
    expect(existsSync(kept.directory)).toBe(true);
  });

  it('is not set where something lies already', () => {
    const folder = join(temporaryFolder(), 'full');
    mkdirSync(folder);
    writeFileSync(join(folder, 'thesis.txt'), '');
    expect(() => setStage(folder)).toThrow(/full is not empty/);
    expect(readdirSync(folder)).toEqual(['thesis.txt']);
  });
});

describe('what a target has received', () => {
  it('is counted without what has ended', () => {
    const state = {
      users: [{ status: 'active' }, { status: 'suspended' }],
      courses: [{ workflow_state: 'unpublished' }, { workflow_state: 'completed' }, { workflow_state: 'available' }],
      enrollments: [{ status: 'active' }, { status: 'deleted' }],
    };
    expect(totalsOf(stub('canvas', state))).toEqual({ accounts: 2, active: 1, enrolments: 1, courses: 2 });
    const contacts = [{ Rosterd_Status__c: 'Active' }, { Rosterd_Status__c: 'Disabled' }];
    const enrolments = [{ Rosterd_Status__c: 'Current' }, { Rosterd_Status__c: 'Former' }];
    expect(totalsOf(stub('salesforce', { contacts, enrolments }))).toEqual({
      accounts: 2,
      active: 1,
      enrolments: 1,
      courses: null,
    });
  });

  it('is not guessed for a target that nobody has described', () => {
    expect(() => totalsOf(stub('fax'))).toThrow(/fax/);
  });
});
