import { parse } from 'csv-parse/sync';
import { inventName } from './names.ts';
import { seeded } from './random.ts';
import type { Drop } from './sample.ts';

/** What the other two systems of the sample university say on each day: who works there, and who has which telephone. */
export interface Campus {
  /** Records of the staff system. */
  staff: StaffRecord[];
  /** How many records the staff system says it has; more than it gives when its answer broke off. */
  staffTotal: number;
  /** Entries of the directory; none when its account of ours lost its rights. */
  entries: DirectoryEntry[];
}

/** Somebody who works there, as the staff system's API gives it. */
export interface StaffRecord {
  person: { number: string; name: { given: string; family: string }; preferredName: string | null };
  contact: { mail: string };
  position: { unit: string; title: string };
}

/** An entry of the directory, attribute by attribute. */
export interface DirectoryEntry {
  dn: string;
  attributes: Readonly<Record<string, readonly string[]>>;
}

const units = ['Registry', 'Library', 'Computing Service', 'Estates', 'Student Support'];
const titles = ['Officer', 'Adviser', 'Head', 'Assistant', 'Librarian'];
const numbers = { staff: 160, leaving: 4, coming: 7, withTelephone: 0.6 };

/** The days of the story, in its order: the pilot, day 1, day 2, and day 3, when both systems answer in part. */
export function campusOf(drops: { pilot: Drop; day1: Drop; day2: Drop }): Campus[] {
  const random = seeded(951);
  const all = Array.from({ length: numbers.staff + numbers.coming }, (_, at): StaffRecord => {
    const { firstName, lastName, latin } = inventName(random);
    const preferred = random.chance(0.1) && firstName.length > 3 ? firstName.slice(0, 3) : null;
    return {
      person: { number: `E${4_000 + at}`, name: { given: firstName, family: lastName }, preferredName: preferred },
      contact: { mail: `${[latin.first, latin.last].filter(Boolean).join('.')}.${at}@staff.example.edu` },
      position: { unit: random.pick(units), title: random.pick(titles) },
    };
  });
  const first = all.slice(0, numbers.staff);
  const second = all.slice(numbers.leaving);
  const [pilot, day1, day2] = [drops.pilot, drops.day1, drops.day2].map(({ text }) => entriesOf(text));
  return [
    { staff: [], staffTotal: 0, entries: pilot! },
    { staff: first, staffTotal: first.length, entries: day1! },
    { staff: second, staffTotal: second.length, entries: day2! },
    { staff: second.slice(0, 60), staffTotal: second.length, entries: [] },
  ];
}

/** A telephone and a room for most of the students of an export; by their ids, so that they stay from day to day. */
function entriesOf(text: string): DirectoryEntry[] {
  const rows = parse<Record<'id' | 'email' | 'firstName' | 'lastName', string>>(text, { bom: true, columns: true });
  const people = new Map(rows.filter(({ id, email }) => id && email.includes('@')).map((row) => [row.id, row]));
  return [...people.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .flatMap(({ id, email, firstName, lastName }) => {
      const random = seeded(Number(id));
      if (!random.chance(numbers.withTelephone)) return [];
      const attributes: Record<string, string[]> = {
        objectClass: ['inetOrgPerson'],
        cn: [id],
        sn: [lastName.trim()],
        mail: [email.trim().toLowerCase()],
        entryUUID: [`00000000-0000-4000-8000-0000${id}`],
        telephoneNumber: [`+44 1632 ${random.between(960_000, 960_999)}`],
      };
      if (firstName) attributes['givenName'] = [firstName];
      if (random.chance(0.2)) attributes['roomNumber'] = [`${random.pick(['A', 'B', 'C'])}${random.between(100, 399)}`];
      return [{ dn: `cn=${id},ou=people,dc=example,dc=edu`, attributes }];
    });
}
