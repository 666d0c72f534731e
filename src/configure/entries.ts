import type { z } from 'zod';
import type { SourceConnector } from '../connector/source.ts';
import type { TargetConnector } from '../connector/target.ts';
import { shortestInterval } from '../schedule/calendar.ts';
import { courseFields, requiredFields } from './canonical.ts';
import type { FieldMap, FormatConfig, Registry, RemovalLimits, Role, SourceConfig, TargetConfig } from './config.ts';
import { check, type Finding } from './explain.ts';
import { hint } from './nearest.ts';
import type { Path } from './problems.ts';
import { namePattern, sourceSchema, targetSchema, type WrittenGuards } from './schema.ts';

/** One source or target: the keys that all have by the schema of the house, the others by the connector's own. */

/** Takes a problem; reading goes on, so that all are told at once. */
export type Report = (finding: Finding) => void;

/** What the top of the file says for all sources. */
export interface ForAll {
  limits: RemovalLimits;
  timezone: string;
}

/** Reads one source; undefined when something was reported. */
export function readSource(
  name: string,
  written: unknown,
  registry: Registry,
  forAll: ForAll,
  report: Report,
): SourceConfig | undefined {
  const entry = readEntry('source', name, written, sourceSchema, registry, report);
  const format = readFormat(['sources', name], written, entry, report);
  if (entry?.common === undefined || entry.connector === undefined || format === undefined) return undefined;
  const { enabled, dryRun, schedule, role, guards, jitter = 0, freshness = null } = entry.common;
  const timezone = entry.common.timezone ?? forAll.timezone;
  const jitterProblem = jitter === 0 ? null : problemOfJitter(schedule, timezone, jitter);
  if (jitterProblem !== null)
    report({ path: ['sources', name, 'jitter'], part: 'value', message: jitterProblem, remedy: null });
  const { connector, settings } = entry;
  const timing = { schedule, timezone, jitterMs: jitter, freshnessMs: freshness };
  const limits = limitsOver(forAll.limits, guards);
  return { name, connector, enabled, dryRun, ...timing, role, limits, format, settings };
}

function problemOfJitter(schedule: string | null, timezone: string, jitterMs: number): string | null {
  if (schedule === null) return 'there is no schedule whose times could be put off';
  if (jitterMs < shortestInterval(schedule, timezone)) return null;
  return 'as long as the time between two runs of the schedule, or longer';
}

/** Reads one target; undefined when something was reported. */
export function readTarget(
  name: string,
  written: unknown,
  registry: Registry,
  report: Report,
): TargetConfig | undefined {
  const entry = readEntry('target', name, written, targetSchema, registry, report);
  if (entry?.common === undefined || entry.connector === undefined) return undefined;
  const { enabled, rate = null, giveUpAfter } = entry.common;
  return { name, connector: entry.connector, enabled, rate, giveUpAfter, settings: entry.settings };
}

/** Limits with some of their numbers replaced. */
export function limitsOver(limits: RemovalLimits, guards: WrittenGuards | undefined): RemovalLimits {
  const { percent, atLeast, window } = guards?.removals ?? {};
  return {
    percent: percent ?? limits.percent,
    atLeast: atLeast ?? limits.atLeast,
    window: { days: window?.days ?? limits.window.days, percent: window?.percent ?? limits.window.percent },
  };
}

interface Entry<C, K> {
  common: C | undefined;
  connector: K | undefined;
  settings: unknown;
}

interface Connectors {
  source: SourceConnector;
  target: TargetConnector;
}

function readEntry<D extends keyof Connectors, S extends z.ZodObject>(
  direction: D,
  name: string,
  written: unknown,
  commonSchema: S,
  registry: Registry,
  report: Report,
): Entry<z.output<S>, Connectors[D]> | undefined {
  const path = [`${direction}s`, name];
  if (!namePattern.test(name))
    report({
      path,
      part: 'key',
      message: `the name of a ${direction} has small letters, digits and "-", and starts with a letter or a digit`,
      remedy: null,
    });
  const found = connectorOf(direction, path, written, registry, report);
  if (!isMap(written)) return undefined;
  const { connector } = found;
  const schemas = connector === undefined ? [commonSchema] : [commonSchema, connector.settings];
  const isCommon = ([key]: [string, unknown]): boolean => Object.hasOwn(commonSchema.shape, key);
  const entries = Object.entries(written);
  const common = check(commonSchema, Object.fromEntries(entries.filter(isCommon)), path, schemas);
  // A kind that is missing or unknown has been reported in better words already.
  const kindPath = (finding: Finding): boolean => finding.path.length === 3 && finding.path[2] === 'kind';
  if ('findings' in common) for (const finding of common.findings) if (!kindPath(finding)) report(finding);
  const rest = Object.fromEntries(entries.filter((entry) => !isCommon(entry)));
  const settings = connector === undefined ? undefined : check(connector.settings, rest, path, schemas);
  if (settings && 'findings' in settings) settings.findings.forEach(report);
  return {
    common: 'data' in common ? common.data : undefined,
    connector,
    settings: settings && 'data' in settings ? settings.data : undefined,
  };
}

function connectorOf<D extends keyof Connectors>(
  direction: D,
  path: Path,
  written: unknown,
  registry: Registry,
  report: Report,
): { connector: Connectors[D] | undefined } {
  const nothing = { connector: undefined };
  const refuse = (message: string, remedy: string | null, at: Path = [...path, 'kind']): typeof nothing => {
    report({ path: at, part: 'value', message, remedy });
    return nothing;
  };
  if (!isMap(written)) return refuse('expected a map of keys', `it begins with a kind`, path);
  const connectors = registry[`${direction}s`] as readonly Connectors[D][];
  const kinds = connectors.map(({ kind }) => kind);
  const kind = written['kind'];
  const list = `known kinds: ${kinds.join(', ')}`;
  if (kind === undefined) return refuse('required, and missing', list);
  if (typeof kind !== 'string') return refuse(`expected the kind of the ${direction} as text`, list);
  const connector = connectors.find((each) => each.kind === kind);
  if (connector !== undefined) return { connector };
  const other = direction === 'source' ? 'target' : 'source';
  if (registry[`${other}s`].some((each) => each.kind === kind))
    return refuse(`${kind} is a kind of ${other}, not of ${direction}`, list);
  const near = hint(kind, kinds, 'kind');
  return refuse(`unknown kind ${JSON.stringify(kind)}`, near?.startsWith('did') ? `${near} ${list}` : list);
}

function readFormat(
  path: Path,
  written: unknown,
  entry: Entry<z.output<typeof sourceSchema>, SourceConnector> | undefined,
  report: Report,
): FormatConfig | undefined {
  if (!isMap(written)) return undefined;
  const given = defaultFields(entry?.connector);
  const message = 'rows become records by a format or by a map';
  const [format, map] = [Object.hasOwn(written, 'format'), Object.hasOwn(written, 'map')];
  if (format && map) report({ path: [...path, 'map'], part: 'key', message, remedy: 'give one of the two' });
  if (!format && !map && !given)
    report({ path, part: 'key', message, remedy: 'add format: unitu, or a map: of canonical field to column' });
  const { common } = entry ?? {};
  if (!common || (format && map)) return undefined;
  const config = common.format ?? common.map ?? (given && !format && !map ? { kind: 'map', fields: {} } : undefined);
  if (config?.kind !== 'map') return config;
  const fields = { ...given, ...config.fields };
  const at = [...path, ...(format ? ['format', 'map'] : map ? ['map'] : [])];
  for (const field of missingFields(fields, common.role))
    report({ path: [...at, field], part: 'key', message: 'required, and missing', remedy: null });
  if (common.role === 'directory' && !fields['id'] && !fields['email'])
    report({ path: at, part: 'key', message: 'a directory joins people by id or email', remedy: 'map one of them' });
  return { kind: 'map', fields };
}

/** What a connector gives for fields that the map does not name. */
function defaultFields(connector: SourceConnector | undefined): FieldMap | null {
  if (!connector?.defaultMap) return null;
  const source = { columns: [], join: '', constant: null, values: null };
  return Object.fromEntries(
    Object.entries(connector.defaultMap).map(([field, column]) => [field, { ...source, columns: [column] }]),
  );
}

/** A course has three names or none; people of an authoritative source have names and an address. */
function missingFields(fields: FieldMap, role: Role): string[] {
  if (role === 'directory') return [];
  const some = courseFields.some((field) => fields[field]);
  return [...(some ? courseFields : []), ...requiredFields].filter((field) => !fields[field]);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
