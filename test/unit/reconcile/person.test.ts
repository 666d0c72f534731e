import { describe, expect, test } from 'vitest';
import {
  type Account,
  type Component,
  type EvidenceRow,
  type NumberIssuer,
  type PeopleRules,
  waitingKey,
} from '../../../src/reconcile/model.ts';
import { reconcileComponent } from '../../../src/reconcile/person.ts';
import { account, brief, component, quarantined, row, rules } from './make.ts';

function issuer(): NumberIssuer {
  let next = 100;
  return (kind) => `${kind === 'staff' ? 951 : 950}0000${next++}`;
}

function verdict(of: Component, how: Partial<PeopleRules> = {}) {
  const { changes, notes, pending } = reconcileComponent(of, rules(how), issuer());
  return {
    changes: changes.map(brief),
    notes: notes.map((note) => `${note.kind} ${note.reason}`),
    pending,
    full: changes,
  };
}

interface Case {
  rows?: EvidenceRow[];
  accounts?: Account[];
  touched?: string[];
  changes: string[];
  notes?: string[];
}
const add = (who: string, course = 'C1') => `enrolment.add ${who} ${course} (course-in-scope)`;
const create = (who: string) => `account.create ${who} (newcomer)`;
const one = '9500000001';
const fresh = '9500000100';
const conflict = (reason: string) => [`conflict ${reason}`];

const cases: Record<string, Record<string, Case>> = {
  'who is who': {
    'a newcomer gets an account and every course': {
      rows: [row({ id: 'a' }), row({ id: 'a', course: 'C2' })],
      changes: [create(fresh), add(fresh), add(fresh, 'C2')],
    },
    'staff get a number of the other series': {
      rows: [row({ id: 'a', kind: 'staff' })],
      changes: [create('9510000100'), add('9510000100')],
    },
    'the same again is nothing': { rows: [row({ id: 'a' })], accounts: [account({})], changes: [] },
    'an id with another e-mail is an e-mail change': {
      rows: [row({ id: 'a', email: 'new@x.edu' })],
      accounts: [account({})],
      changes: [`account.update ${one} email (email-change)`],
    },
    'an e-mail match gives the id to an account without one': {
      rows: [row({ id: 'a' })],
      accounts: [account({ id: null })],
      changes: [`account.update ${one} id (id-given)`],
    },
    'a row without id finds the account by e-mail, and takes no id away': {
      rows: [row({})],
      accounts: [account({})],
      changes: [],
    },
    'a row without id is the person whose row has its e-mail': {
      rows: [row({ id: 'a' }), row({ course: 'C2' })],
      accounts: [account({})],
      changes: [add(one, 'C2')],
    },
    'a number goes before an id': {
      rows: [row({ number: one, id: 'b' })],
      accounts: [account({ id: null })],
      changes: [`account.update ${one} id (id-given)`],
    },
    'a number goes before an e-mail': {
      rows: [row({ number: one, email: 'new@x.edu' })],
      accounts: [account({})],
      changes: [`account.update ${one} email (email-change)`],
    },
  },
  'who cannot be told': {
    'an e-mail of an account with another id': {
      rows: [row({ id: 'b' })],
      accounts: [account({})],
      changes: [],
      notes: [...conflict('proposed-merge'), 'blocked conflict'],
    },
    'an e-mail of an account with another id and another name': {
      rows: [row({ id: 'b', firstName: 'Bob' })],
      accounts: [account({})],
      changes: [],
      notes: [...conflict('email-of-another-id'), 'blocked conflict'],
    },
    'an id match whose new e-mail belongs to somebody': {
      rows: [row({ id: 'a', email: 'bob@x.edu' })],
      accounts: [account({}), account({ account: '9500000002', id: 'b', email: 'bob@x.edu', courses: [] })],
      changes: [],
      notes: [...conflict('email-taken'), 'blocked conflict'],
    },
    'an e-mail that only a lower source says belongs to somebody': {
      rows: [row({ id: 'b', email: 'bob@x.edu' }), row({ id: 'b', source: 'hr' })],
      accounts: [account({})],
      changes: [],
      notes: [...conflict('email-of-another-account'), 'blocked conflict'],
    },
    'two ids with one e-mail': {
      rows: [row({ id: 'a' }), row({ id: 'b' })],
      changes: [],
      notes: [...conflict('two-ids-one-email'), ...conflict('two-ids-one-email')],
    },
    'two ids with one e-mail, and a row without id': {
      rows: [row({ id: 'a' }), row({ id: 'b' }), row({})],
      changes: [],
      notes: [1, 2, 3].flatMap(() => conflict('two-ids-one-email')),
    },
    'rows of one source that disagree': {
      rows: [row({ id: 'a' }), row({ id: 'a', course: 'C2', firstName: 'Anna' })],
      changes: [],
      notes: conflict('rows-disagree'),
    },
    'attributes that disagree': {
      rows: [row({ id: 'a', attributes: { phone: '1' } }), row({ id: 'a', course: 'C2', attributes: { phone: '2' } })],
      changes: [],
      notes: conflict('rows-disagree'),
    },
    'one id with two numbers': {
      rows: [row({ id: 'a', number: one }), row({ id: 'a', number: '9500000002', source: 'hr' })],
      changes: [],
      notes: conflict('rows-disagree'),
    },
    'a number that was never issued': {
      rows: [row({ number: '9500000077' })],
      changes: [],
      notes: conflict('unknown-number'),
    },
    'a number and an id of two accounts': {
      rows: [row({ number: one, id: 'b' })],
      accounts: [account({}), account({ account: '9500000002', id: 'b', email: 'bob@x.edu', courses: [] })],
      changes: [],
      notes: [...conflict('number-and-id'), 'blocked conflict'],
    },
    'two people who lead to one account': {
      rows: [row({ id: 'a', email: 'new@x.edu' }), row({})],
      accounts: [account({})],
      changes: [],
      notes: [...conflict('two-people-one-account'), ...conflict('two-people-one-account')],
    },
    'an address that its owner gives up in the same plan': {
      rows: [row({ id: 'a', email: 'new@x.edu' }), row({ id: 'b' })],
      accounts: [account({})],
      changes: [`account.update ${one} email (email-change)`],
      notes: conflict('email-of-another-id'),
    },
  },
  'an alias': {
    'is kept with the account': {
      rows: [row({ id: 'a', alias: 'g1' })],
      accounts: [account({})],
      changes: [`account.update ${one} alias (attributes)`],
    },
    'makes a renamed id the same person': {
      rows: [row({ id: 'ann.king', alias: 'g1', email: 'king@x.edu', lastName: 'King' }), row({ id: 'a', gone: true })],
      accounts: [account({ alias: 'g1' })],
      changes: [`account.update ${one} id,email,lastName (email-change)`],
    },
    'finds somebody who left and came back renamed': {
      rows: [row({ id: 'ann.king', alias: 'g1' })],
      accounts: [account({ alias: 'g1', status: 'disabled', courses: [] })],
      changes: [`account.enable ${one} status (returner)`, `account.update ${one} id (id-renamed)`, add(one)],
    },
    'stays when another source that has none says the rest': {
      rows: [row({ id: 'a' })],
      accounts: [account({ alias: 'g1' })],
      changes: [],
    },
    'of an entry that was made anew replaces the old one': {
      rows: [row({ id: 'a', alias: 'g2' })],
      accounts: [account({ alias: 'g1' })],
      changes: [`account.update ${one} alias (attributes)`],
    },
    'that is another one, with another e-mail, is an id passed on': {
      rows: [row({ id: 'a', alias: 'g2', email: 'bob@x.edu', firstName: 'Bob' })],
      accounts: [account({ alias: 'g1' })],
      changes: [],
      notes: conflict('id-of-another-alias'),
    },
    'of one account with the id of another': {
      rows: [row({ id: 'b', alias: 'g1' })],
      accounts: [
        account({ alias: 'g1' }),
        account({ account: '9500000002', id: 'b', email: 'bob@x.edu', courses: [] }),
      ],
      changes: [],
      notes: [...conflict('alias-and-id'), 'blocked conflict'],
    },
    'of two ids': {
      rows: [row({ id: 'a', alias: 'g1' }), row({ id: 'b', alias: 'g1', email: 'bob@x.edu' })],
      changes: [],
      notes: [...conflict('two-ids-one-alias'), ...conflict('two-ids-one-alias')],
    },
    'of a renamed id, while another source still has the old one': {
      rows: [row({ id: 'king', alias: 'g1', source: 'hr', email: 'king@x.edu' }), row({ id: 'a' })],
      accounts: [account({ alias: 'g1' })],
      changes: [],
      notes: [...conflict('two-people-one-account'), ...conflict('two-people-one-account')],
    },
  },
  'people without a course': {
    'get an account and nothing else': {
      rows: [row({ id: 'a', faculty: '', department: '', course: '', kind: 'staff' })],
      changes: [create('9510000100')],
    },
    'who are only known by name get none': {
      rows: [row({ id: 'a', faculty: '', department: '', course: '', provision: false })],
      changes: [],
    },
    'and in one from another feed are one person with both': {
      rows: [row({ id: 'a', faculty: '', department: '', course: '', source: 'hr' }), row({ id: 'a' })],
      changes: [create(fresh), add(fresh)],
    },
  },
  'who is in scope': {
    'nobody is created without a row in scope': { rows: [row({ id: 'a', course: 'X' })], changes: [] },
    'one row in scope is enough, and only its course counts': {
      rows: [row({ id: 'a', course: 'X' }), row({ id: 'a' })],
      changes: [create(fresh), add(fresh)],
    },
    'leaving the scope takes the enrolment, not the account': {
      rows: [row({ id: 'a', course: 'X' })],
      accounts: [account({ courses: ['X'] })],
      changes: [`enrolment.remove ${one} X (left-scope)`],
    },
    'a changed course is one addition and one removal': {
      rows: [row({ id: 'a', course: 'C2' })],
      accounts: [account({})],
      changes: [add(one, 'C2'), `enrolment.remove ${one} C1 (left-course)`],
    },
  },
  'who leaves and returns': {
    'a leaver loses enrolments, then the account is disabled': {
      rows: [row({ id: 'a', gone: true })],
      accounts: [account({ courses: ['C1', 'C2'] })],
      changes: [
        `enrolment.remove ${one} C1 (left-snapshot)`,
        `enrolment.remove ${one} C2 (left-snapshot)`,
        `account.disable ${one} status (left-snapshot)`,
      ],
    },
    'who is disabled already only loses what is left': {
      rows: [row({ id: 'a', gone: true })],
      accounts: [account({ status: 'disabled' })],
      changes: [`enrolment.remove ${one} C1 (left-snapshot)`],
    },
    'a returner is enabled, with the same number and new facts': {
      rows: [row({ id: 'a', firstName: 'Anna' })],
      accounts: [account({ status: 'disabled', courses: [] })],
      changes: [`account.enable ${one} status (returner)`, `account.update ${one} firstName (attributes)`, add(one)],
    },
    'a returner out of scope is enabled all the same': {
      rows: [row({ id: 'a', course: 'X' })],
      accounts: [account({ status: 'disabled', courses: [] })],
      changes: [`account.enable ${one} status (returner)`],
    },
  },
  'who may take away': {
    'nobody goes whom another source still has': {
      rows: [row({ id: 'a', gone: true }), row({ id: 'a', source: 'hr' })],
      accounts: [account({})],
      changes: [],
    },
    'a source does not take what it never gave': { accounts: [account({ source: 'hr' })], changes: [] },
    'a source takes what it gave': {
      accounts: [account({ courses: [] })],
      changes: [`account.disable ${one} status (left-snapshot)`],
    },
    'a source takes what it left pending': {
      accounts: [account({ source: 'hr', courses: [] })],
      touched: ['i:a'],
      changes: [`account.disable ${one} status (left-snapshot)`],
    },
    'a source takes what its own row is gone from': {
      rows: [row({ id: 'a', gone: true })],
      accounts: [account({ source: 'hr', courses: [] })],
      changes: [`account.disable ${one} status (left-snapshot)`],
    },
  },
};

for (const [group, its] of Object.entries(cases))
  describe(group, () => {
    test.each(Object.entries(its))('%s', (_name, { rows, accounts, touched, changes, notes = [] }) => {
      const found = verdict(component({ rows: rows ?? [], accounts: accounts ?? [], touched: touched ?? [] }));
      expect(found.changes).toEqual(changes);
      expect(found.notes).toEqual(notes);
    });
  });

describe('whose word counts', () => {
  const rows = [
    row({ id: 'a', source: 'hr', firstName: 'Anna', email: 'hr@x.edu', attributes: { phone: '1', room: '2' } }),
    row({ id: 'a', attributes: { phone: '3' } }),
  ];

  test('the first source of the configuration, and of attributes the first that has one', () => {
    const [change] = verdict(component({ rows })).full;
    expect(change!.after).toMatchObject({ firstName: 'Ann', email: 'ann@x.edu' });
    expect(change!.account!.attributes).toEqual({ phone: '3', room: '2' });
  });

  test('another order of the configuration gives the other word', () => {
    const [change] = verdict(component({ rows }), { precedence: ['hr', 'sis'] }).full;
    expect(change!.after).toMatchObject({ firstName: 'Anna', email: 'hr@x.edu' });
    expect(change!.account!.attributes).toEqual({ phone: '1', room: '2' });
  });

  test('an e-mail change counts as confirmed, another change does not', () => {
    const of = (email: string, firstName: string) =>
      verdict(component({ rows: [row({ id: 'a', email, firstName })], accounts: [account({})] })).full[0]!;
    expect(of('new@x.edu', 'Ann')).toMatchObject({ emailConfirmed: true, before: { email: 'ann@x.edu' } });
    expect(of('ann@x.edu', 'Anna')).toMatchObject({ emailConfirmed: false, after: { firstName: 'Anna' } });
  });
});

describe('doubt never removes', () => {
  const leaving = { rows: [row({ id: 'a', gone: true })], accounts: [account({})] };
  const keys = [`n:${one}`, 'i:a', 'e:ann@x.edu'];

  test.each([
    ['a quarantined row', { rows: [...leaving.rows, quarantined({ id: 'a' })] }, {}, 'quarantine', keys],
    [
      'a quarantined row of another source',
      { rows: [quarantined({ email: 'ann@x.edu', source: 'hr' })] },
      {},
      'quarantine',
      keys,
    ],
    ['a snapshot with a row that could be anybody', leaving, { blockAll: 'line 7' }, 'quarantine-unknown', keys],
    [
      'unfinished business elsewhere',
      { ...leaving, pendingElsewhere: ['hr'] },
      {},
      'pending-elsewhere',
      keys.map(waitingKey),
    ],
    [
      // else the other source would not know that this one is in doubt as well
      'unfinished business elsewhere and a row that could be anybody',
      { ...leaving, pendingElsewhere: ['hr'] },
      { blockAll: 'line 7' },
      'quarantine-unknown',
      keys,
    ],
  ])('%s keeps the removals back, and they are looked at again', (_name, of, how, reason, pending) => {
    const found = verdict(component({ ...leaving, ...of }), how);
    expect(found.changes).toEqual([]);
    expect(found.notes).toEqual([`blocked ${reason}`]);
    expect([...found.pending].sort()).toEqual([...pending].sort());
  });

  test('a person in conflict is looked at again', () => {
    const { pending } = verdict(component({ rows: [row({ id: 'a' }), row({ id: 'b' })] }));
    expect(new Set(pending)).toEqual(new Set(['i:a', 'i:b', 'e:ann@x.edu']));
  });

  test('what is added goes on beside a doubt', () => {
    const rows = [row({ id: 'a', course: 'C2', firstName: 'Anna' }), quarantined({ id: 'a' })];
    const { changes } = verdict(component({ rows, accounts: [account({})] }));
    expect(changes).toEqual([`account.update ${one} firstName (attributes)`, add(one, 'C2')]);
  });

  test.each([
    ['two ids with one e-mail', [row({ id: 'a' }), row({ id: 'b' })], [one, null]],
    ['rows that disagree', [row({ id: 'a' }), row({ id: 'a', course: 'C2', firstName: 'Anna' })], [one]],
    ['an address that may have been passed on', [row({ id: 'b', firstName: 'Bob' })], [null]],
    ['rows without id that disagree', [row({}), row({ course: 'C2', firstName: 'Anna' })], [one]],
  ])('a conflict says whose account it is about: %s', (_name, rows, accounts) => {
    const { notes } = reconcileComponent(component({ rows, accounts: [account({})] }), rules(), issuer());
    expect(notes.filter(({ kind }) => kind === 'conflict').map((note) => note.account)).toEqual(accounts);
  });

  test('notes name accounts and ids, never a person', () => {
    const { notes } = reconcileComponent(
      component({ rows: [row({ id: 'b' })], accounts: [account({})] }),
      rules(),
      issuer(),
    );
    for (const note of notes) expect(note.text).not.toMatch(/@|Ann|Lee/);
  });
});
