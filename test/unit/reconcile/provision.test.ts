import { describe, expect, test } from 'vitest';
import type { PeopleRules } from '../../../src/reconcile/model.ts';
import { reconcileComponent } from '../../../src/reconcile/person.ts';
import { account, brief, component, quarantined, row, rules } from './make.ts';

/** Rows that are no reason for an account (`provision: false`), beside rows that are one and alone. */

const one = '9500000001';
const nowhere = { faculty: '', department: '', course: '' };
/** Somebody of the staff feed who only teaches: known by name. */
const teaches = (more: Parameters<typeof row>[0] = {}) =>
  row({ id: 'a', source: 'hr', kind: 'staff', year: null, ...nowhere, provision: false, ...more });
const studies = (more: Parameters<typeof row>[0] = {}) => row({ id: 'a', ...more });
const first: Partial<PeopleRules> = { precedence: ['hr', 'sis'] };
const byHr: Partial<PeopleRules> = { ...first, source: 'hr' };

function verdict(of: Parameters<typeof component>[0], how: Partial<PeopleRules> = first) {
  const found = reconcileComponent(component(of), rules(how), (kind) => (kind === 'staff' ? '9510000100' : fresh));
  return { ...found, brief: found.changes.map(brief), notes: found.notes.map((note) => note.reason) };
}
const fresh = '9500000100';

describe('beside a row that is a reason for an account', () => {
  test('it does not say who somebody is, however high its source stands', () => {
    const rows = [teaches({ email: 'hr@x.edu', firstName: 'Anna' }), studies()];
    const { changes } = verdict({ rows });
    expect(changes.map(brief)).toEqual([
      `account.create ${fresh} (newcomer)`,
      `enrolment.add ${fresh} C1 (course-in-scope)`,
    ]);
    expect(changes[0]!.account).toMatchObject({ kind: 'student', year: 1, email: 'ann@x.edu', firstName: 'Ann' });
    expect(verdict({ rows, accounts: [account({})] }, byHr).changes).toEqual([]);
  });

  test('its attributes are taken, after those of the others', () => {
    const rows = [teaches({ attributes: { title: 'Dr', phone: '1' } }), studies({ attributes: { phone: '2' } })];
    expect(verdict({ rows }).changes[0]!.account!.attributes).toEqual({ phone: '2', title: 'Dr' });
  });

  test('its course is nobody’s', () => {
    const rows = [teaches({ faculty: 'F', department: 'D', course: 'C2' }), studies()];
    expect(verdict({ rows, accounts: [account({})] }).changes).toEqual([]);
  });

  test('its place does not make the word of a later source count where an earlier row cannot be read', () => {
    // the quarantined row may be the one that decides
    const rows = [teaches(), quarantined({ id: 'a', source: 'hr' }), studies({ firstName: 'Anna' })];
    expect(verdict({ rows, accounts: [account({})] }).changes).toEqual([]);
    expect(verdict({ rows: [teaches(), studies({ firstName: 'Anna' })], accounts: [account({})] }).brief).toEqual([
      `account.update ${one} firstName (attributes)`,
    ]);
    const torn = { ...byHr, blockAll: 'line 7' };
    const read = { rows: [teaches(), studies({ firstName: 'Anna' })], accounts: [account({})] };
    expect(verdict(read, torn).changes).toEqual([]);
  });
});
