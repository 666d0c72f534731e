import { describe, expect, test } from 'vitest';
import type { Account, EvidenceRow, PeopleRules } from '../../../src/reconcile/model.ts';
import { reconcileComponent } from '../../../src/reconcile/person.ts';
import { account, brief, component, quarantined, row, rules } from './make.ts';

const one = '9500000001';
const directories = new Set(['ad', 'phones']);
/** An entry of a directory. */
const entry = (written: Parameters<typeof row>[0]): EvidenceRow =>
  row({ faculty: '', department: '', course: '', source: 'ad', firstName: '', lastName: '', year: null, ...written });

function verdict(
  of: { rows: EvidenceRow[]; accounts?: Account[]; pendingElsewhere?: string[]; touched?: string[] },
  how: Partial<PeopleRules> = {},
) {
  const source = how.source ?? 'sis';
  const fillOnly = directories.has(source);
  const all = rules({ directories, fillOnly, precedence: ['sis', 'hr', 'ad', 'phones'], ...how });
  const { changes, notes, pending } = reconcileComponent(componentOf(of), all, () => '9500000100');
  return {
    changes: changes.map(brief),
    attributes: changes.map((change) => change.after?.attributes),
    after: changes.at(-1)?.account,
    notes: notes.map((note) => `${note.kind} ${note.reason}`),
    pending,
  };
}
/** As it is gathered: entries of directories do not say who is named. */
function componentOf(of: Parameters<typeof component>[0]) {
  const people = of.rows!.filter((one) => !directories.has(one.source));
  return { ...component(of), named: component({ rows: people }).named };
}
const ann = row({ id: 'a' });

describe('a directory fills in', () => {
  test('attributes, by id, whatever address it has', () => {
    const rows = [ann, entry({ id: 'a', email: 'other@x.edu', attributes: { phone: '1' } })];
    const said = verdict({ rows, accounts: [account({})] }, { source: 'ad' });
    expect(said.changes).toEqual([`account.update ${one} attributes (attributes)`]);
    expect(said.attributes).toEqual([{ phone: '1' }]);
  });

  test('by e-mail where the entry has no id that anybody has', () => {
    const rows = [ann, entry({ id: 'ann.lee', attributes: { phone: '1' } })];
    expect(verdict({ rows, accounts: [account({})] }, { source: 'ad' }).attributes).toEqual([{ phone: '1' }]);
  });

  test('not for somebody else whose address an entry of an id has', () => {
    const rows = [ann, row({ id: 'b', email: 'bob@x.edu' }), entry({ id: 'b', attributes: { phone: '1' } })];
    const bob = account({ account: '9500000002', id: 'b', email: 'bob@x.edu' });
    const said = verdict({ rows, accounts: [account({}), bob] }, { source: 'ad' });
    expect(said.changes).toEqual(['account.update 9500000002 attributes (attributes)']);
  });

  test('names and year that are blank, and no others', () => {
    const rows = [
      row({ id: 'a', lastName: '', year: null }),
      entry({ id: 'a', firstName: 'X', lastName: 'Lee', year: 3 }),
    ];
    expect(verdict({ rows }).after).toMatchObject({ firstName: 'Ann', lastName: 'Lee', year: 3 });
  });

  test('in the order of the sources, authoritative ones among them', () => {
    const rows = [
      row({ id: 'a', attributes: { room: 'sis' } }),
      entry({ id: 'a', attributes: { room: 'ad', phone: 'ad' } }),
      entry({ id: 'a', source: 'phones', attributes: { phone: 'phones', fax: 'phones' } }),
    ];
    const wanted = { room: 'sis', phone: 'ad', fax: 'phones' };
    expect(verdict({ rows }).after?.attributes).toEqual(wanted);
    const other = verdict({ rows }, { precedence: ['phones', 'ad', 'sis'] }).after?.attributes;
    expect(other).toEqual({ ...wanted, room: 'ad', phone: 'phones' });
  });

  test('and the entry under the id goes before others with the same address', () => {
    const rows = [
      ann,
      entry({ id: 'a', attributes: { phone: '1' } }),
      entry({ id: 'adm-a', attributes: { phone: '2' } }),
    ];
    const said = verdict({ rows, accounts: [account({})] }, { source: 'ad' });
    expect(said.attributes).toEqual([{ phone: '1' }]);
    expect(said.notes).toEqual([]);
  });
});

describe('a directory never', () => {
  const gone = row({ id: 'a', gone: true });

  test('makes an account', () => {
    for (const source of ['ad', 'sis']) expect(verdict({ rows: [entry({ id: 'a' })] }, { source }).changes).toEqual([]);
  });

  test('disables anybody, or lets a leaver of another source go', () => {
    const left = entry({ id: 'a', gone: true });
    const touched = ['i:a', `n:${one}`];
    for (const rows of [[left], [left, gone], [ann, left]])
      expect(verdict({ rows, accounts: [account({})], touched }, { source: 'ad' }).changes).toEqual([]);
  });

  test('keeps a leaver either', () => {
    for (const more of [entry({ id: 'a' }), quarantined({ id: 'a', source: 'ad' })]) {
      const said = verdict({ rows: [gone, more], accounts: [account({})], pendingElsewhere: ['ad'] });
      expect(said.changes).toEqual([
        `enrolment.remove ${one} C1 (left-snapshot)`,
        `account.disable ${one} status (left-snapshot)`,
      ]);
    }
  });

  test('brings people into conflict', () => {
    const rows = [ann, entry({ id: 'x' }), entry({ id: 'y' })];
    const said = verdict({ rows, accounts: [account({})] });
    expect(said).toMatchObject({ changes: [], notes: [] });
  });

  test('enables, enrols or renames over what an authoritative source has open', () => {
    const rows = [row({ id: 'a', course: 'C2' }), entry({ id: 'a', attributes: { phone: '1' } })];
    const disabled = [account({ status: 'disabled' })];
    expect(verdict({ rows, accounts: disabled }, { source: 'ad' }).changes).toEqual([]);
    const active = verdict({ rows, accounts: [account({})] }, { source: 'ad' });
    expect(active.changes).toEqual([`account.update ${one} attributes (attributes)`]);
  });
});

describe('an attribute', () => {
  const had = [account({ attributes: { phone: '1' } })];
  const takes = { changes: [`account.update ${one} attributes (attributes)`], attributes: [{}] };

  test('goes when the directory no longer gives it', () => {
    expect(verdict({ rows: [ann, entry({ id: 'a', gone: true })], accounts: had }, { source: 'ad' })).toMatchObject(
      takes,
    );
  });

  test('stays while the entry is in quarantine, whoever runs', () => {
    const rows = [ann, quarantined({ id: 'a', source: 'ad' })];
    for (const source of ['ad', 'sis']) expect(verdict({ rows, accounts: had }, { source }).changes).toEqual([]);
  });

  test('stays while a quarantined entry could be anybody’s, and is looked at again', () => {
    const said = verdict({ rows: [ann], accounts: had }, { source: 'ad', blockAll: 'a row could be anybody' });
    expect(said.changes).toEqual([]);
    expect(said.pending).toContain('i:a');
  });

  test('stays while the directory’s own plan waits, when another source runs', () => {
    expect(verdict({ rows: [ann], accounts: had, pendingElsewhere: ['ad'] }).changes).toEqual([]);
  });

  test('stays while two entries disagree, which is noted once, by the directory’s own run', () => {
    const rows = [ann, entry({ attributes: { phone: '2' } }), entry({ attributes: { phone: '3' } })];
    const said = verdict({ rows, accounts: had }, { source: 'ad' });
    expect(said).toMatchObject({ changes: [], notes: ['ambiguous entries-disagree'] });
    expect(verdict({ rows, accounts: had }).notes).toEqual([]);
  });

  test('of two directories that wait for each other, neither waits for ever', () => {
    const said = verdict({ rows: [ann], accounts: had, pendingElsewhere: ['phones'] }, { source: 'ad' });
    expect(said.changes).toEqual([]);
    expect(said.pending.length).toBeGreaterThan(0);
    expect(said.pending.every((key) => key.startsWith('w:'))).toBe(true);
  });
});
