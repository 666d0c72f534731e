import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { courses } from '../../../src/operate/demo/courses.ts';
import { seeded } from '../../../src/operate/demo/random.ts';
import { type Drop, makeSample } from '../../../src/operate/demo/sample.ts';

const sample = makeSample();
const cellsOf = ({ text }: Drop): string[][] => parse(text, { bom: true });
const rowsOf = ({ text }: Drop): Record<string, string>[] => parse(text, { bom: true, columns: true });
const day1 = rowsOf(sample.day1);

describe('the sample', () => {
  it('is the same whenever it is made', () => {
    expect(makeSample()).toEqual(sample);
  });

  it.each(Object.values(sample))('is what stands in config/demo/$name, byte for byte', ({ name, text }) => {
    const written = readFileSync(new URL(`../../../config/demo/${name}`, import.meta.url));
    expect(written.equals(Buffer.from(text)), `npm run demo-drops writes config/demo/${name} again`).toBe(true);
  });

  it('is a university of about 3,000 people, and says how many they are', () => {
    for (const drop of [sample.pilot, sample.day1, sample.day2, sample.day3]) {
      const rows = rowsOf(drop);
      const people = new Set(rows.map(({ id, email }) => id || email!.toLowerCase().trim()));
      expect([drop.people, drop.rows]).toEqual([people.size, rows.length]);
    }
    expect(sample.day1.people).toBeGreaterThan(2_900);
    expect(sample.day1.people).toBeLessThan(3_100);
  });

  it('has nobody and nothing real in it: all addresses are in a domain for examples', () => {
    for (const { email } of day1) expect(email!.trim().toLowerCase()).toMatch(/^[a-z0-9.-]+@students\.example\.edu$/);
    expect(new Set(courses.map(({ faculty }) => faculty)).size).toBe(6);
  });

  it('cuts the third day at a line end, so that nothing about the file shows it', () => {
    expect(sample.day2.text.startsWith(sample.day3.text)).toBe(true);
    expect(sample.day3.text.endsWith('\r\n')).toBe(true);
    expect(sample.day3.rows / sample.day2.rows).toBeCloseTo(0.4, 2);
  });
});

describe('the dirt of real exports', () => {
  const bytes = Buffer.from(sample.day1.text);
  const perPerson = Map.groupBy(
    day1.filter(({ id }) => id !== ''),
    ({ id }) => id!,
  );
  const some = (column: string, pattern: RegExp): number => day1.filter((row) => pattern.test(row[column]!)).length;

  it('begins with a byte order mark and ends lines in CRLF', () => {
    expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    const records = cellsOf(sample.day1);
    expect(records[0]).toEqual('faculty,department,course,firstName,lastName,email,id,year'.split(','));
    expect(records.every((cells) => cells.length === 8)).toBe(true);
    expect(sample.day1.text.split('\r\n').length - 1).toBe(records.length);
  });

  it('quotes commas, newlines and quotes', () => {
    expect(some('course', /,/)).toBeGreaterThan(100);
    expect(some('course', /\n/)).toBeGreaterThan(50);
    expect(some('course', /"/)).toBeGreaterThan(10);
  });

  it('writes names in many scripts, with apostrophes and without a first name', () => {
    for (const script of ['Greek', 'Cyrillic', 'Arabic', 'Han', 'Devanagari'])
      expect(some('lastName', new RegExp(`\\p{Script=${script}}`, 'u')), script).toBeGreaterThan(50);
    expect(some('lastName', /[À-ž]/)).toBeGreaterThan(200);
    expect(some('lastName', /['’]/)).toBeGreaterThan(50);
    expect(some('firstName', /^$/)).toBeGreaterThan(5);
    expect(day1.filter(({ lastName }) => lastName !== lastName!.normalize('NFC')).length).toBeGreaterThan(10);
  });

  it('leaves years and a few ids blank, and lets ids begin with zeros', () => {
    expect(some('year', /^$/)).toBeGreaterThan(100);
    expect(new Set(day1.filter(({ id }) => id === '').map(({ email }) => email!.trim().toLowerCase())).size).toBe(14);
    expect(some('id', /^00\d{6}$/)).toBeGreaterThan(4_000);
  });

  it('puts people into several courses, with e-mail addresses in differing case', () => {
    const several = [...perPerson.values()].filter((rows) => new Set(rows.map(({ course }) => course)).size > 1);
    expect(several.length).toBeGreaterThan(1_000);
    const spellings = several.filter((rows) => new Set(rows.map(({ email }) => email!.trim())).size > 1);
    expect(spellings.length).toBeGreaterThan(300);
    for (const rows of several) expect(new Set(rows.map(({ email }) => email!.trim().toLowerCase())).size).toBe(1);
  });

  it('has white space behind values and rows twice', () => {
    for (const column of ['course', 'lastName', 'email']) expect(some(column, / $/)).toBeGreaterThan(50);
    expect(day1.length - new Set(day1.map((row) => JSON.stringify(row))).size).toBeGreaterThan(10);
  });

  it('has three broken rows on day 2, each with the id of its person', () => {
    const broken = rowsOf(sample.day2).filter(
      ({ year, email, lastName }) => !/^[0-7]?$/.test(year!) || !email!.includes('@') || lastName!.includes('\ufffd'),
    );
    expect(broken).toHaveLength(3);
    for (const { id } of broken) expect(perPerson.has(id!)).toBe(true);
  });
});

describe('the generator of random numbers', () => {
  it('repeats itself for one seed, and differs for another', () => {
    const draw = (seed: number): number[] => {
      const random = seeded(seed);
      return Array.from({ length: 5 }, () => random.between(0, 1_000_000));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('draws without repeats, in order, and by weight', () => {
    const random = seeded(1);
    const items = Array.from({ length: 100 }, (_, at) => at);
    for (const count of [0, 1, 37, 100]) {
      const drawn = random.sample(items, count);
      expect(new Set(drawn).size).toBe(count);
      expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
    }
    const heavy = items.filter(
      () => random.weighted(['light', 'heavy'], (word) => (word === 'heavy' ? 9 : 1)) === 'heavy',
    );
    expect(heavy.length).toBeGreaterThan(75);
    const evenly = Array.from({ length: 10_000 }, () => random.next());
    expect(evenly.reduce((sum, one) => sum + one, 0) / 10_000).toBeCloseTo(0.5, 1);
    expect(evenly.every((one) => one >= 0 && one < 1)).toBe(true);
  });
});
