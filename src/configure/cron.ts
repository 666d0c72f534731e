interface Field {
  name: string;
  from: number;
  to: number;
  /** Names for values, the first for `from`. */
  words: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const fields: readonly Field[] = [
  { name: 'minute', from: 0, to: 59, words: [] },
  { name: 'hour', from: 0, to: 23, words: [] },
  { name: 'day of month', from: 1, to: 31, words: [] },
  { name: 'month', from: 1, to: 12, words: months },
  // 7 is Sunday as well as 0, as in every cron.
  { name: 'day of week', from: 0, to: 7, words: weekdays },
];

const longestDay = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Why a text is not a cron expression of five fields, or null. Only what every cron reads alike is taken: `*`, numbers,
 * names of months and weekdays, ranges, lists, and steps of `*` or of a range.
 */
export function cronProblem(expression: string): string | null {
  const parts = expression.trim().split(/\s+/u).filter(Boolean);
  if (parts.length !== fields.length)
    return `a schedule has 5 fields (minute, hour, day of month, month, day of week), this one has ${parts.length}`;
  const values: Set<number>[] = [];
  for (const [index, field] of fields.entries()) {
    const read = readField(parts[index]!, field);
    if (typeof read === 'string') return `${field.name} "${parts[index]}": ${read}`;
    values.push(read);
  }
  const [, , days, monthsOfYear] = values;
  // With a day of week beside it, a day of month is one of two ways to match, so it need not exist.
  const possible = [...monthsOfYear!].some((month) => Math.min(...days!) <= longestDay[month - 1]!);
  if (!possible && parts[4] === '*') return `day of month "${parts[2]}" never comes in month "${parts[3]}"`;
  return null;
}

function readField(text: string, field: Field): Set<number> | string {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const problem = readItem(item, field, values);
    if (problem !== null) return problem;
  }
  return values;
}

function readItem(item: string, field: Field, values: Set<number>): string | null {
  const [range = '', step, ...more] = item.split('/');
  if (item === '' || more.length > 0) return 'is not a value, a range or a list of them';
  const stride = step === undefined ? 1 : Number(/^\d+$/.test(step) ? step : Number.NaN);
  if (!(stride >= 1 && stride <= field.to)) return `a step is a whole number from 1 to ${field.to}`;
  const ends = range === '*' ? [field.from, field.to] : range.split('-').map((word) => numberOf(word, field));
  if (ends.length > 2 || ends.some(Number.isNaN)) return allowed(field);
  const [from, to = from] = ends as [number, number?];
  if (from < field.from || to > field.to) return allowed(field);
  if (from > to) return 'a range runs from low to high; write two ranges with a comma';
  if (step !== undefined && ends.length === 1) return `a step needs a range: write ${range}-${field.to}/${step}`;
  for (let value = from; value <= to; value += stride) values.add(value);
  return null;
}

function numberOf(word: string, field: Field): number {
  if (/^\d{1,2}$/.test(word)) return Number(word);
  const index = field.words.indexOf(word.toLowerCase());
  return index === -1 ? Number.NaN : index + field.from;
}

function allowed(field: Field): string {
  const words = field.words.length > 0 ? `, or ${field.words[0]} to ${field.words.at(-1)}` : '';
  return `values are ${field.from} to ${field.to}${words}`;
}
