import { type CourseName, courseKey } from '../../src/connector/target.ts';
import type { Call, Client } from './client.ts';
import type { CourseParts, Part } from './parts.ts';
import { chainKeys, type Fields, type Prepared, rounds } from './records.ts';
import type { SalesforceSettings } from './schema.ts';
import { type Outcome, only, outcomeOf, upsertAll, upsertCall } from './upsert.ts';

/**
 * The chain that an enrolment of the Education Data Architecture hangs on: Account, Term, Course, Course Offering. Each
 * link is there before the next is written, and is written once a session.
 */

/** One kind of record of the chain, with what its records need. `masters`: fields that only a new record may be given. */
interface Link {
  part: Part;
  records: Prepared<string>[];
  masters: readonly string[];
  /** Keys of the records that one needs. */
  needs: (record: Prepared<string>) => readonly string[];
}

/** Records of the chain of these courses, link by link. */
function chainOf(settings: SalesforceSettings, institution: string, names: readonly CourseName[]): Link[] {
  const { account, term, course, offering } = settings.courses as CourseParts;
  const now = settings.term!;
  const home = chainKeys.institution(institution);
  const link = (
    part: Part,
    list: readonly { key: string; fields: Fields; parents?: Record<string, string> }[],
    parts: Record<string, Part> = {},
  ): Link => {
    const columns = Object.fromEntries(Object.entries(parts).map(([name, to]) => [name, `${name}.${to.externalId}`]));
    const parents = new Map(list.map((one) => [one.key, one.parents ?? {}]));
    const records = list.map(({ key, fields }): Prepared<string> => {
      const links = Object.entries(parents.get(key)!).map(([relation, to]) => [columns[relation]!, to]);
      return {
        ...{ about: key, key, parent: '' },
        fields: { [part.externalId]: key, ...fields, ...Object.fromEntries(links) },
      };
    });
    return {
      part,
      records: [...new Map(records.map((record) => [record.key, record])).values()],
      masters: Object.values(columns),
      needs: ({ key }) => Object.values(parents.get(key)!),
    };
  };
  return [
    link(account, [
      { key: home, fields: { [account.name]: now.account ?? institution } },
      ...names.map((name) => ({ key: chainKeys.department(name), fields: { [account.name]: name.department } })),
    ]),
    link(
      term,
      [
        {
          key: chainKeys.term(now.key),
          fields: {
            [term.name]: now.name,
            ...(term.start && { [term.start]: now.start }),
            ...(term.end && { [term.end]: now.end }),
          },
          parents: { [term.accountRelation]: home },
        },
      ],
      { [term.accountRelation]: account },
    ),
    link(
      course,
      names.map((name) => ({
        key: chainKeys.course(name),
        fields: { [course.name]: name.course },
        parents: { [course.accountRelation]: chainKeys.department(name) },
      })),
      { [course.accountRelation]: account },
    ),
    link(
      offering,
      names.map((name) => ({
        key: chainKeys.offering(name, now.key),
        fields: { [offering.name]: name.course },
        parents: {
          [offering.courseRelation]: chainKeys.course(name),
          [offering.termRelation]: chainKeys.term(now.key),
        },
      })),
      { [offering.courseRelation]: course, [offering.termRelation]: term },
    ),
  ];
}

/**
 * The same records without their masters. A master may be named when a record is created, and never again where it is not
 * re-parentable; whoever upserts does not know which it will be. So a record is sent without, which updates what is there,
 * and what is refused for want of a master is not there, and is sent once more, with it.
 */
function withoutMasters({ records, masters }: Link): Prepared<string>[] {
  const bare = (fields: Fields): Fields =>
    Object.fromEntries(Object.entries(fields).filter(([name]) => !masters.includes(name)));
  return records.map((record) => ({ ...record, fields: bare(record.fields) }));
}

/** Brings courses to the org. */
export interface Chain {
  /** Makes sure that the offerings of these courses exist, and says of each course, by `courseKey`, what became of it. */
  ensure(names: readonly CourseName[]): Promise<Map<string, Outcome>>;
}

/** Opens the chain of a session, which remembers what is there. */
export function openChain(settings: SalesforceSettings, institution: string, client: Client): Chain {
  const there = new Map<string, Outcome>();

  async function write(link: Link, outcomes: Map<string, Outcome>): Promise<void> {
    const stopped = (record: Prepared<string>): Outcome | undefined =>
      link
        .needs(record)
        .map((key) => outcomes.get(key)!)
        .find(({ outcome }) => outcome !== 'sent');
    const wanted = link.records.filter((record) => !there.has(record.key));
    for (const record of link.records) if (there.has(record.key)) outcomes.set(record.key, there.get(record.key)!);
    for (const record of wanted) {
      const why = stopped(record);
      if (why) outcomes.set(record.key, why);
    }
    const ready = new Map(wanted.filter(({ key }) => !outcomes.has(key)).map((record) => [record.key, record]));
    const missing: Prepared<string>[] = [];
    const first = link.masters.length ? withoutMasters({ ...link, records: [...ready.values()] }) : [...ready.values()];
    await upsertAll(settings, client, link.part, first, (record, result) => {
      if (link.masters.length && only(result, 'REQUIRED_FIELD_MISSING')) missing.push(ready.get(record.key)!);
      else outcomes.set(record.key, outcomeOf(result));
    });
    await upsertAll(settings, client, link.part, missing, (record, result) =>
      outcomes.set(record.key, outcomeOf(result)),
    );
    for (const { key } of wanted) if (outcomes.get(key)!.outcome === 'sent') there.set(key, outcomes.get(key)!);
  }

  return {
    async ensure(names) {
      const outcomes = new Map<string, Outcome>();
      if (names.length)
        for (const link of chainOf(settings, institution, names)) {
          await write(link, outcomes);
        }
      return new Map(
        names.map((name) => [courseKey(name), outcomes.get(chainKeys.offering(name, settings.term!.key))!]),
      );
    },
  };
}

/** The calls that bring these courses to an org that has none of them; of one that has them, the second of each kind is left out. */
export function chainCalls(settings: SalesforceSettings, institution: string, names: readonly CourseName[]): Call[] {
  if (!names.length) return [];
  const calls = (part: Part, records: readonly Prepared<string>[]): Call[] =>
    rounds(records, settings.batch).flatMap((round) => round.map((request) => upsertCall(settings, part, request)));
  return chainOf(settings, institution, names).flatMap((link) => [
    ...(link.masters.length ? calls(link.part, withoutMasters(link)) : []),
    ...calls(link.part, link.records),
  ]);
}
