import { describe, expect, it } from 'vitest';
import { cronProblem } from '../../../src/configure/cron.ts';
import { least, linesOf, load } from './sample.ts';

describe('a schedule', () => {
  it.each([
    '15 2 * * *',
    '*/15 * * * *',
    '0 0-23/2 1,15 * *',
    '0 6 * * mon-FRI',
    '0 6 1 jan,JUL *',
    '0 0 * * 7',
    '  5   4  29 2 * ',
    '0 0 31 2 1',
    '59 23 31 12 0-7',
  ])('%j is taken', (text) => {
    expect(cronProblem(text)).toBeNull();
  });

  it.each([
    ['', 'this one has 0'],
    ['15 2 * *', 'this one has 4'],
    ['0 15 2 * * *', 'this one has 6'],
    ['@daily', 'this one has 1'],
    ['60 2 * * *', 'minute "60": values are 0 to 59'],
    ['0 24 * * *', 'hour "24": values are 0 to 23'],
    ['0 0 0 * *', 'day of month "0": values are 1 to 31'],
    ['0 0 1 13 *', 'month "13": values are 1 to 12, or jan to dec'],
    ['0 0 * * 8', 'day of week "8": values are 0 to 7, or sun to sat'],
    ['0 0 * * monday', 'day of week "monday": values are'],
    ['0 mon * * *', 'hour "mon": values are 0 to 23'],
    ['*/0 * * * *', 'minute "*/0": a step is a whole number from 1 to 59'],
    ['*/x * * * *', 'minute "*/x": a step is'],
    ['5/10 * * * *', 'minute "5/10": a step needs a range: write 5-59/10'],
    ['0 22-2 * * *', 'hour "22-2": a range runs from low to high'],
    ['1,,2 * * * *', 'minute "1,,2": is not a value'],
    ['1-2-3 * * * *', 'minute "1-2-3": values are 0 to 59'],
    ['- * * * *', 'minute "-": values are'],
    ['0 0 ? * *', 'day of month "?": values are'],
    ['0 0 L * *', 'day of month "L": values are'],
    ['-5 * * * *', 'minute "-5": values are'],
    ['1e1 * * * *', 'minute "1e1": values are'],
    ['0 0 30 2 *', 'day of month "30" never comes in month "2"'],
    ['0 0 31 4,6,9 *', 'day of month "31" never comes in month "4,6,9"'],
  ])('%j is refused and the field is named', (text, expected) => {
    expect(cronProblem(text)).toContain(expected);
  });

  it('is checked with its line, and null or nothing means on demand', () => {
    expect(linesOf(`${least}    schedule: '61 2 * * *'\n`)).toEqual([
      '8:15: sources.sis.schedule: minute "61": values are 0 to 59',
    ]);
    expect(load(`${least}    schedule: null\n`).sources[0]!.schedule).toBeNull();
    expect(load(`${least}    schedule: '0 2 * * *'\n`).sources[0]!.schedule).toBe('0 2 * * *');
  });
});
