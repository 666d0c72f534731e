/** Days of a small university, by a seed: the same seed gives the same files, byte for byte. */

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export type Random = () => number;

export function randomBy(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `low` to `high`. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

interface Person {
  id: string;
  email: string;
  firstName: string;
  lastName: string;
  year: string;
  courses: Set<number>;
  present: boolean;
}

const header = 'faculty,department,course,firstName,lastName,email,id,year';
const firstNames = ['Ada', 'Béla', 'Chloé', 'Đorđe', 'Eszter', 'Fatma', 'Georgi', 'Ωmega', 'Ingrid', 'José'];
const lastNames = ['Łukasik', 'Müller', 'O’Neill', 'Papadopoulos', 'Quist', 'Řezníčková', 'Smith', 'Tuğçe', '王'];
const departments = ['Mechanical Engineering', 'Bau und Umwelt', 'Médecine', 'Alumni Office'];

export class History {
  readonly #random: Random;
  readonly #people: Person[] = [];
  #day = 0;
  #courses = 8;

  constructor(seed: number, people: number) {
    this.#random = randomBy(seed);
    for (let n = 0; n < people; n += 1) this.#arrive();
  }

  /**
   * The file of the next day. Every day has newcomers, leavers, returners, moved, renamed and re-addressed people; some
   * have a new course, an emptied one, a row in quarantine, a row that could be anybody, or two ids with one e-mail.
   */
  next(): string {
    this.#day += 1;
    if (this.#day > 1) this.#live();
    const lines = this.#people.filter((person) => person.present).flatMap((person) => this.#rows(person));
    const some = this.#people.filter((person) => person.present);
    if (this.#day % 3 === 2) lines.push(...this.#rows({ ...some[between(this.#random, 0, 20)]!, year: '9' }));
    if (this.#day % 6 === 4) lines.push('Faculty 0,Médecine,Course 0,No,Body,,,1');
    if (this.#day % 4 === 3) {
      const [one, other] = some.slice(30);
      if (one && other) lines.push(...this.#rows({ ...one, id: `T${this.#day}`, email: other.email }));
    }
    return `${header}\n${lines.join('\n')}\n`;
  }

  #live(): void {
    const random = this.#random;
    const present = this.#people.filter((person) => person.present);
    const absent = this.#people.filter((person) => !person.present);
    const some = (count: number): Person[] =>
      Array.from({ length: count }, () => present[between(random, 0, present.length - 1)]!);
    for (const person of some(between(random, 4, 9))) person.present = false;
    for (const person of absent.filter(() => random() < 0.2)) person.present = true;
    for (const person of some(8)) person.courses = this.#choose();
    for (const person of some(4)) if (person.id) person.email = `new${this.#day}.${person.email}`;
    for (const person of some(4)) person.year = String(between(random, 1, 7));
    for (const person of some(2)) person.lastName += '-Neu';
    for (let n = between(random, 3, 8); n > 0; n -= 1) this.#arrive();
    if (this.#day % 3 === 0) {
      this.#courses += 1;
      for (const person of some(3)) person.courses.add(this.#courses - 1);
    }
    if (this.#day % 5 === 0) for (const person of this.#people) person.courses.delete(this.#day / 5);
    for (const person of this.#people) if (!person.courses.size) person.courses.add(0);
  }

  #arrive(): void {
    const n = this.#people.length;
    this.#people.push({
      // Every fifteenth has no id and is known by the address alone.
      id: n % 15 === 7 ? '' : `S${String(n).padStart(4, '0')}`,
      email: `person${n}@example.edu`,
      firstName: firstNames[n % firstNames.length]!,
      lastName: lastNames[n % lastNames.length]!,
      year: String(between(this.#random, 1, 4)),
      courses: this.#choose(),
      present: true,
    });
  }

  #choose(): Set<number> {
    const courses = new Set<number>();
    for (let n = between(this.#random, 1, 3); n > 0; n -= 1) courses.add(between(this.#random, 0, this.#courses - 1));
    return courses;
  }

  #rows({ courses, firstName, lastName, email, id, year }: Person): string[] {
    return [...courses].map((course) => {
      const department = departments[course % departments.length];
      return `Faculty ${course % 2},${department},Course ${course},${firstName},${lastName},${email},${id},${year}`;
    });
  }
}
