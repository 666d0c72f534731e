/** Reads the Prometheus text format 0.0.4 by its rules, and refuses what breaks one. */

/** A metric as a scraper takes it. */
export interface Family {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const line = new RegExp(`^(?<name>${metricName})(?:\\{(?<labels>.*)\\})? (?<value>\\S+)(?: -?\\d+)?$`);
const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;

/** Every family by its name. Throws with the line that breaks a rule. */
export function parseMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no line end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: [string, Family] | null = null;
  const refuse = (row: string, why: string): never => {
    throw new Error(`${why}: ${row}`);
  };
  for (const row of text.split('\n')) {
    if (row === '') continue;
    const [, word, name = '', rest = ''] = new RegExp(`^# (HELP|TYPE) (${metricName}) ?(.*)$`).exec(row) ?? [];
    if (word) {
      if (current?.[0] !== name) {
        if (families.has(name)) refuse(row, 'the lines of a metric stand together');
        current = [name, { type: 'untyped', help: '', samples: [] }];
        families.set(...current);
      }
      if (current[1].samples.length) refuse(row, 'HELP and TYPE come before the samples');
      current[1][word === 'HELP' ? 'help' : 'type'] = rest;
      continue;
    }
    if (row.startsWith('#')) continue;
    const { groups } = line.exec(row) ?? refuse(row, 'no sample');
    const owner = current?.[0] ?? '';
    const suffixes = { histogram: /^(_bucket|_sum|_count)$/, summary: /^(|_sum|_count)$/ }[current![1].type] ?? /^$/;
    const sample = groups!['name']!;
    if (!sample.startsWith(owner) || !suffixes.test(sample.slice(owner.length))) refuse(row, `not of ${owner}`);
    const labels = readLabels(groups!['labels'] ?? '') ?? refuse(row, 'no labels');
    const key = `${sample} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(key)) refuse(row, 'the same series twice');
    seen.add(key);
    // as Go's ParseFloat reads it, which takes NaN and Inf in any case
    const written = groups!['value']!.toLowerCase();
    const value = { '+inf': Infinity, '-inf': -Infinity, nan: Number.NaN }[written] ?? Number(written);
    if (Number.isNaN(value) && written !== 'nan') refuse(row, 'no number');
    current![1].samples.push({ name: sample, labels, value });
  }
  for (const [name, family] of families) if (family.type === 'histogram') proveHistogram(name, family);
  return families;
}

function readLabels(text: string): Record<string, string> | null {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const [whole, name, value] = label.exec(rest) ?? [];
    if (whole === undefined || name! in labels) return null;
    labels[name!] = value!.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
    rest = rest.slice(whole.length);
  }
  return labels;
}

/** Buckets grow with `le`, end with +Inf, and that one is the count. */
function proveHistogram(name: string, { samples }: Family): void {
  const rest = ({ le: _, ...labels }: Record<string, string>): string => JSON.stringify(labels);
  for (const series of new Set(samples.map(({ labels }) => rest(labels)))) {
    const own = samples.filter(({ labels }) => rest(labels) === series);
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
    const count = own.find((sample) => sample.name === `${name}_count`)?.value;
    const grows = buckets.every(({ value }, at) => at === 0 || value >= buckets[at - 1]!.value);
    if (!grows || buckets.at(-1)?.labels['le'] !== '+Inf' || buckets.at(-1)?.value !== count)
      throw new Error(`the buckets of ${name} ${series} are none`);
  }
}
