import { closedCourse, courses, newCourse, successorCourse } from './courses.ts';
import { recordsOf, type SampleRecord } from './csv.ts';
import { inventLastName } from './names.ts';
import { coursesOf, Registry, type SamplePerson, type SampleRow } from './people.ts';
import { type Random, seeded } from './random.ts';

/** The drops of a sample university, in the order in which they come. All people and courses are invented. */
export interface Sample {
  /** A pilot of last term: some people of each department. A few of them are not there on day 1 and come back on day 2. */
  pilot: Drop;
  /** The whole university. */
  day1: Drop;
  /** The day after, with every kind of change. */
  day2: Drop;
  /** The drop of day 2 whose upload ended early, at a line end: nothing about the file says so. */
  day3: Drop;
}

/** A file as the student system drops it. */
export interface Drop {
  name: string;
  text: string;
  /** People and rows in it; broken rows and people without an id included. */
  people: number;
  rows: number;
}

const seed = 20_260_921;

/** How many there are of each kind. Together they stay well under the limits that hold removals back. */
const numbers = {
  students: 2_990,
  withoutId: 14,
  pilotOfDepartment: 10,
  awayOnDay1: 18,
  newcomers: 34,
  leavers: 41,
  returners: 10,
  moves: 57,
  newNames: 6,
  newEmails: 11,
  newIds: 4,
  joiningNewCourse: 8,
};

/** Makes the sample: the same bytes on every machine and every day. */
export function makeSample(): Sample {
  const random = seeded(seed);
  const registry = new Registry(random);
  const students = Array.from({ length: numbers.students }, () => registry.enter());
  for (const person of random.sample(students, numbers.withoutId)) person.id = '';
  const away = Array.from({ length: numbers.awayOnDay1 }, () => registry.enter(registry.courseBeside([closedCourse])));
  const pilot = [...pilotOf(students, random), ...away];
  const day2 = recordsOf(nextDay(students, away, registry, random));
  return {
    pilot: drop('students-pilot.csv', recordsOf(pilot)),
    day1: drop('students-day1.csv', recordsOf(students)),
    day2: drop('students-day2.csv', day2),
    day3: drop('students-day3.csv', day2.slice(0, Math.round(day2.length * 0.4))),
  };
}

/** People of every department in their first course only. */
function pilotOf(students: readonly SamplePerson[], random: Random): SamplePerson[] {
  const departments = new Set(courses.map(({ department }) => department));
  return [...departments].flatMap((department) => {
    const its = students.filter((person) => person.rows[0]!.course.department === department && person.id !== '');
    return random.sample(its, numbers.pilotOfDepartment).map((person) => ({ ...person, rows: [person.rows[0]!] }));
  });
}

/** The day after: leavers and returners, newcomers, moves, new names, addresses and ids, courses that come and go. */
function nextDay(
  students: readonly SamplePerson[],
  away: readonly SamplePerson[],
  registry: Registry,
  random: Random,
): SamplePerson[] {
  const people = students.map((person) => ({ ...person, rows: [...person.rows] }));
  const isOrdinary = ({ id, rows }: SamplePerson): boolean =>
    id !== '' && rows.every(({ course, times }) => course !== closedCourse && times === 1);
  // Everybody is in one part of the story only.
  let free = people.filter(isOrdinary);
  const take = (count: number, fits: (person: SamplePerson) => boolean = () => true): SamplePerson[] => {
    const taken = new Set(random.sample(free.filter(fits), count));
    free = free.filter((person) => !taken.has(person));
    return [...taken];
  };

  const leavers = new Set(take(numbers.leavers));
  for (const person of take(numbers.moves))
    person.rows[0] = registry.row(registry.courseBeside([closedCourse, ...coursesOf(person)]));
  for (const person of take(numbers.newNames)) person.lastName = inventLastName(random, person.lastName);
  for (const person of take(numbers.newEmails)) person.email = registry.newEmail(person);
  for (const person of take(numbers.joiningNewCourse)) person.rows.push(registry.row(newCourse));
  const nameless = people.filter(({ id }) => id === '');
  for (const person of random.sample(nameless, numbers.newIds)) person.id = registry.idOf(person.serial);
  for (const person of people) closeCourse(person, registry);
  breakRows(take);

  const returners = random.sample(away, numbers.returners).map((person) => ({ ...person }));
  const newcomers = Array.from({ length: numbers.newcomers }, (_, at) =>
    registry.enter(at % 3 === 0 ? newCourse : registry.courseBeside([closedCourse])),
  );
  return [...people.filter((person) => !leavers.has(person)), ...returners, ...newcomers];
}

/** People of the course that ends go on in its successor. */
function closeCourse(person: SamplePerson, registry: Registry): void {
  const at = person.rows.findIndex(({ course }) => course === closedCourse);
  if (at < 0) return;
  if (person.rows.some(({ course }) => course === successorCourse)) person.rows.splice(at, 1);
  else person.rows[at] = registry.row(successorCourse);
}

/** Three rows that nobody can use, for three reasons. Whose they are can still be told, so nobody else is affected. */
function breakRows(take: (count: number, fits: (person: SamplePerson) => boolean) => SamplePerson[]): void {
  const ways: ((person: SamplePerson) => SampleRow['broken'])[] = [
    () => ({ year: '2026' }),
    ({ email }) => ({ email: email.replace('@', ' at ') }),
    // A letter that was lost when a file was read in the wrong encoding.
    ({ lastName }) => ({ lastName: lastName.replace(/[^ -~]/u, '\ufffd') }),
  ];
  for (const [at, way] of ways.entries()) {
    const fits = ({ rows, lastName }: SamplePerson): boolean =>
      rows.length === (at === 0 ? 2 : 1) && (at !== 2 || /^[A-Z][a-zß-ž]*[ß-ž][a-z]*$/u.test(lastName));
    const [person] = take(1, fits);
    person!.rows[0] = { ...person!.rows[0]!, broken: way(person!) };
  }
}

function drop(name: string, records: readonly SampleRecord[]): Drop {
  const people = new Set(records.flatMap(({ person }) => person ?? []));
  return { name, text: records.map(({ text }) => text).join(''), people: people.size, rows: records.length - 1 };
}
