import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { salesforce } from '../../connectors/salesforce/connector.ts';
import { chainKeys, enrolmentKey } from '../../connectors/salesforce/records.ts';
import type { TargetConfig } from '../../src/configure/config.ts';
import { deliverAll } from '../../src/deliver/deliver.ts';
import { fill } from '../../src/operate/fill.ts';
import { noLimits, Site as RosterSite } from '../support/history.ts';
import { design, item, type Site, salesforceSite } from '../support/salesforce.ts';

/** The preset for the Education Data Architecture, against the stub. */

const eda = { preset: 'eda', term: { key: '2026-27', name: 'Academic Year 2026-27', start: '2026-09-01' } };
const bridges = { ...design, course: 'Bridges' };
let at: Site;
beforeEach(async () => {
  at = await salesforceSite();
});
const outcomes = (results: readonly { outcome: string }[]): string[] => results.map(({ outcome }) => outcome);

describe('EDA', () => {
  test('a course brings everything that its offering hangs on, and enrolments lead to it', async () => {
    const session = await at.open(eda);
    const items = [item('course.create', 0), item('account.create', 1), item('enrolment.add', 1)];
    expect(outcomes(await session.deliver(items))).toEqual(['sent', 'sent', 'sent']);
    const { accounts, terms, courses, offerings, contacts, connections } = at.seen();
    expect(accounts.map((row) => row['Name']).sort()).toEqual(['Mechanical Engineering', 'example-university']);
    expect(terms).toMatchObject([
      {
        ...{ Name: 'Academic Year 2026-27', hed__Start_Date__c: '2026-09-01' },
        hed__Account__r: chainKeys.institution('example-university'),
      },
    ]);
    expect(courses).toMatchObject([{ Name: 'Car Design', hed__Account__r: chainKeys.department(design) }]);
    expect(offerings).toEqual([
      {
        ...{ Name: 'Car Design', Rosterd_Key__c: chainKeys.offering(design, '2026-27') },
        ...{ hed__Course__r: chainKeys.course(design), hed__Term__r: chainKeys.term('2026-27') },
      },
    ]);
    expect(contacts).toMatchObject([
      { hed__UniversityEmail__c: '9500000001@example.edu', hed__Preferred_Email__c: 'University Email' },
    ]);
    expect(connections).toEqual([
      {
        ...{ hed__Credentialing_Identifier__c: enrolmentKey('9500000001', design), hed__Contact__r: '9500000001' },
        ...{ hed__Course_Offering__r: chainKeys.offering(design, '2026-27'), hed__Status__c: 'Current' },
      },
    ]);
  });

  test('what is there is updated without its masters, once a session, and comes to no harm', async () => {
    const first = await at.open(eda);
    await first.deliver([item('enrolment.add', 1)]);
    const before = at.seen();
    const session = await at.open(eda);
    const asked = at.asked().length;
    // courses that were created by another session, and one that is new
    const items = [item('course.create', 0), item('course.create', 0, {}, bridges), item('account.create', 1)];
    expect(outcomes(await session.deliver(items))).toEqual(['sent', 'sent', 'sent']);
    expect(
      at
        .asked()
        .slice(asked)
        .map((one) => one.split('/')[3]),
    ).toEqual([
      ...['Account', 'hed__Term__c', 'hed__Course__c', 'hed__Course__c'],
      ...['hed__Course_Offering__c', 'hed__Course_Offering__c', 'Contact'],
    ]);
    expect(at.seen().terms).toEqual(before.terms);
    expect(at.seen().offerings).toHaveLength(2);
    const now = at.asked().length;
    await session.deliver([item('enrolment.add', 1), item('enrolment.add', 1, {}, bridges)]);
    expect(at.asked().length).toBe(now + 1);
  });

  test('an enrolment that ends keeps the offering of its term, whatever the term is now', async () => {
    const old = await at.open(eda);
    await old.deliver([item('account.create', 1), item('enrolment.add', 1)]);
    const session = await at.open({ ...eda, term: { key: '2027-28', name: 'Academic Year 2027-28' } });
    expect(outcomes(await session.deliver([item('enrolment.remove', 1)]))).toEqual(['sent']);
    expect(at.seen().connections).toMatchObject([
      { hed__Status__c: 'Former', hed__Course_Offering__r: chainKeys.offering(design, '2026-27') },
    ]);
  });

  test('the same course in another term is the same record; a name that has the term makes another', async () => {
    const old = await at.open(eda);
    await old.deliver([item('account.create', 1), item('enrolment.add', 1)]);
    await old.deliver([item('enrolment.remove', 1)]);
    const session = await at.open({ ...eda, term: { key: '2027-28', name: 'Academic Year 2027-28' } });
    await session.deliver([item('enrolment.add', 1)]);
    const moved = { hed__Status__c: 'Current', hed__Course_Offering__r: chainKeys.offering(design, '2027-28') };
    expect(at.seen().connections).toMatchObject([moved]);
    await session.deliver([item('enrolment.add', 1, {}, { ...design, course: 'Car Design 2028-29' })]);
    expect(at.seen().connections).toMatchObject([moved, { hed__Status__c: 'Current' }]);
  });

  test('a course that is refused takes its enrolments with it, and no other', async () => {
    const session = await at.open(eda);
    const long = { ...design, course: 'x'.repeat(81) };
    const results = await session.deliver([
      ...[item('course.create', 0, {}, long), item('account.create', 1)],
      ...[item('enrolment.add', 1, {}, long), item('enrolment.add', 1)],
    ]);
    expect(outcomes(results)).toEqual(['failed', 'sent', 'failed', 'sent']);
    expect(results[2]!.answer).toMatch(/^not sent: its course: STRING_TOO_LONG: Name/);
  });

  test('a course that meets a locked row is tried again, and its enrolments with it', async () => {
    const session = await at.open(eda);
    await at.post('lock', { externalIds: [chainKeys.department(design)] });
    const items = [item('course.create', 0), item('account.create', 1), item('enrolment.add', 1)];
    expect(outcomes(await session.deliver(items))).toEqual(['retry', 'sent', 'retry']);
    expect(outcomes(await session.deliver([items[0]!, items[2]!]))).toEqual(['sent', 'sent']);
  });

  test('nobody is given a selector that points at a blank field', async () => {
    const session = await at.open(eda);
    expect(outcomes(await session.deliver([item('account.create', 1, { email: '' })]))).toEqual(['sent']);
    expect(at.seen().contacts[0]).not.toHaveProperty('hed__Preferred_Email__c');
  });

  test('many enrolments go by job, the relation in the head of its column', async () => {
    const session = await at.open({ ...eda, bulk: { from: 2, batch: 100 } });
    const ids = [1, 2, 3];
    const items = [...ids.map((n) => item('account.create', n)), ...ids.map((n) => item('enrolment.add', n))];
    expect(new Set(outcomes(await session.deliver(items)))).toEqual(new Set(['sent']));
    const upload = at.stub.requests().filter(({ method }) => method === 'PUT')[1]!;
    expect(upload.body.split('\n')[0]).toBe(
      'hed__Credentialing_Identifier__c,hed__Contact__r.Rosterd_Account__c,hed__Course_Offering__r.Rosterd_Key__c,hed__Status__c',
    );
    const ended = ids.map((n) => item('enrolment.remove', n));
    expect(new Set(outcomes(await session.deliver(ended)))).toEqual(new Set(['sent']));
    for (const row of at.seen().connections)
      expect(row).toMatchObject({
        hed__Status__c: 'Former',
        hed__Course_Offering__r: expect.stringMatching(/^offering:/),
      });
  });

  test('the probe looks at every object of the chain', async () => {
    expect(await salesforce.probe(at.settings(eda), at.context)).toEqual([
      `logged in to ${at.stub.url}`,
      'Account: matched by Rosterd_Key__c, 1 field',
      'hed__Term__c: matched by Rosterd_Key__c, 3 fields',
      'hed__Course__c: matched by hed__Credentialing_Identifier__c, 1 field',
      'hed__Course_Offering__c: matched by Rosterd_Key__c, 1 field',
      'Contact: matched by Rosterd_Account__c, 7 fields',
      'hed__Course_Enrollment__c: matched by hed__Credentialing_Identifier__c, 1 field',
      expect.stringMatching(/^API requests of the day: \d+\/15000$/),
    ]);
    const other = {
      ...eda,
      courses: { offering: { externalId: 'hed__Section_ID__c', termRelation: 'hed__Faculty__r' } },
    };
    await expect(salesforce.probe(at.settings(other), at.context)).rejects.toThrow(
      'hed__Course_Offering__c.hed__Section_ID__c must be marked External Id and Unique; ' +
        'hed__Course_Offering__c.hed__Faculty__r does not lead to hed__Term__c; ' +
        'hed__Course_Offering__c.hed__Term__c is required, and nothing fills it',
    );
  });

  test('a preview is what a new org is sent, byte for byte', async () => {
    const chosen = at.settings(eda);
    const items = [
      ...[item('course.create', 0), item('course.create', 0, {}, bridges), item('account.create', 1)],
      ...[item('enrolment.add', 1), item('enrolment.remove', 1, {}, bridges)],
    ];
    const shown = salesforce.preview(chosen, at.context, items);
    await (await salesforce.open(chosen, at.context)).deliver(items);
    const sent = at.stub.requests().filter(({ url }) => url.startsWith('/services/data'));
    const digest = (bytes: Uint8Array | null) => createHash('sha256').update(bytes!).digest('hex');
    expect(sent.map(({ method, url, sha256 }) => [method, at.stub.url + url, sha256])).toEqual(
      shown.map(({ method, url, body }) => [method, url, digest(body)]),
    );
    expect(shown.flatMap(({ items }) => items).sort()).toEqual(items.map(({ item }) => item).sort());
  });
});

test('without the preset, courses of before are put away in plain words, and people go on', async () => {
  const target = (more: object = {}): TargetConfig => ({
    ...{ name: 'crm', connector: salesforce as TargetConfig['connector'], enabled: true, rate: null, giveUpAfter: 50 },
    settings: at.settings(more),
  });
  await using site = new RosterSite({ sources: ['sis'], limits: noLimits, targets: [target(eda)] });
  await site.run('sis', [['F', 'D', 'C', 'Ada', 'Byron', 'ada@x.edu', '1', 'ada']]);
  await fill(site.rosterd, 'crm');
  site.rosterd.config.targets = [target()];
  const { config, work } = site.rosterd;
  expect(await deliverAll(config, site.store, work)).toMatchObject([{ failed: 1, error: null }]);
  const items = await site.store.outbox.list({ limit: 99 });
  expect(items.filter(({ status }) => status === 'failed')).toMatchObject([
    { type: 'course.create', answer: 'not sent: crm takes no course.create any more' },
  ]);
  expect(items.filter(({ status }) => status === 'queued')).toEqual([]);
  expect(at.seen()).toMatchObject({ contacts: [{ Email: 'ada@x.edu' }], enrolments: [{}] });
});
