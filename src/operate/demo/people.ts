import type { CourseName } from '../../connector/target.ts';
import { closedCourse, courses } from './courses.ts';
import { inventName } from './names.ts';
import type { Random } from './random.ts';

/** Somebody of the sample university, with the rows that its export has of them. */
export interface SamplePerson {
  /** Order of appearance; an export lists people in it. */
  serial: number;
  /** Blank where the export has none. */
  id: string;
  email: string;
  firstName: string;
  lastName: string;
  year: string;
  rows: SampleRow[];
}

/** One person in one course, and what is unclean about that row. It stays the same from day to day. */
export interface SampleRow {
  course: CourseName;
  emailCase: 'lower' | 'upper' | 'title';
  /** A column that has white space behind its value. */
  trailing: 'course' | 'lastName' | 'email' | null;
  /** Letters and their marks as separate characters, as some systems write them. */
  decomposed: boolean;
  /** 2: the export has the row twice. */
  times: 1 | 2;
  /** Replaces values of the row, so that it cannot be read. */
  broken?: { year?: string; email?: string; lastName?: string };
}

/** Hands out people; no two have an id or an e-mail address in common. */
export class Registry {
  readonly #random: Random;
  readonly #emails = new Set<string>();
  readonly #popularity: ReadonlyMap<CourseName, number>;
  #serial = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#popularity = new Map(
      courses.map((course) => [course, course === closedCourse ? 0.2 : 0.4 + random.next() * 1.6]),
    );
  }

  /** Somebody in one to three courses, or in the one that is given. */
  enter(only?: CourseName): SamplePerson {
    const random = this.#random;
    this.#serial += 1;
    const { firstName, lastName, latin } = inventName(random);
    const person: SamplePerson = {
      serial: this.#serial,
      id: this.idOf(this.#serial),
      email: this.#email(latin.first, latin.last),
      firstName,
      lastName,
      // Doctoral students have no year of study.
      year: random.chance(0.07) ? '' : String(random.between(0, 4)),
      rows: [],
    };
    const many = only || random.chance(0.62) ? 1 : random.chance(0.75) ? 2 : 3;
    for (let n = 0; n < many; n += 1) person.rows.push(this.row(only ?? this.courseBeside(coursesOf(person))));
    return person;
  }

  /** Ids begin with zeros: a spreadsheet that takes them for numbers loses people. */
  idOf(serial: number): string {
    return String(104_729 + serial * 37).padStart(8, '0');
  }

  /** An address for somebody who has a new name, or whose old address is given up. */
  newEmail(person: SamplePerson): string {
    const [local] = person.email.split('@');
    return this.#email('', `${local!.replace(/\d+$/, '')}.${this.#random.between(2, 9)}`);
  }

  /** A course that is not among `taken`. */
  courseBeside(taken: readonly CourseName[]): CourseName {
    const free = courses.filter((course) => !taken.includes(course));
    return this.#random.weighted(free, (course) => this.#popularity.get(course)!);
  }

  row(course: CourseName): SampleRow {
    const random = this.#random;
    return {
      course,
      emailCase: random.chance(0.8) ? 'lower' : random.chance(0.3) ? 'upper' : 'title',
      trailing: random.chance(0.05) ? random.pick(['course', 'lastName', 'email'] as const) : null,
      decomposed: random.chance(0.04),
      times: random.chance(0.006) ? 2 : 1,
    };
  }

  #email(first: string, last: string): string {
    const local = [first, last].filter((part) => part !== '').join('.');
    for (let n = 1; ; n += 1) {
      const email = `${local}${n === 1 ? '' : n}@students.example.edu`;
      if (this.#emails.has(email)) continue;
      this.#emails.add(email);
      return email;
    }
  }
}

/** The courses of somebody's rows. */
export function coursesOf(person: SamplePerson): CourseName[] {
  return person.rows.map((row) => row.course);
}
