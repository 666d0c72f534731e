import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Misconfigured } from '../base/errors.ts';
import type { Config, Registry, RemovalLimits } from './config.ts';
import { limitsOver, type Report, readSource, readTarget } from './entries.ts';
import { check, type Finding } from './explain.ts';
import { keysOf } from './integration.ts';
import { ConfigErrors, type Problem, pathText } from './problems.ts';
import { fileSchema, type WrittenFile } from './schema.ts';
import { readYaml, type YamlFile } from './yaml.ts';

/** The limits of a file that says nothing about them. */
export const defaultLimits: RemovalLimits = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };

/** Longest path that the kernel binds a socket to (`sun_path` less its final zero). */
const longestSocketPath = 107;

/**
 * Reads a configuration. Throws `ConfigErrors` with every problem of the file, each with its line, or `Misconfigured`
 * when there is no file to read.
 */
export function loadConfig(file: string, registry: Registry): Config {
  const { text, bytes } = readText(file);
  const yaml = readYaml(text);
  if (yaml.problems.length > 0) throw new ConfigErrors(file, yaml.problems);
  const problems: Problem[] = [];
  const report: Report = (finding) => {
    problems.push(problemOf(finding, yaml));
  };
  const config = readConfig(resolve(file), yaml, registry, report);
  if (config === undefined || problems.length > 0) throw new ConfigErrors(file, problems);
  // lists may stand in files of their own, and are in force as they were read
  const formats = JSON.stringify(config.sources.map(({ format }) => format));
  return { ...config, digest: createHash('sha256').update(bytes).update(formats).digest('hex') };
}

function readConfig(
  file: string,
  yaml: YamlFile,
  registry: Registry,
  report: Report,
): Omit<Config, 'digest'> | undefined {
  const written = yaml.value;
  if (written === null) {
    report({ path: [], part: 'value', message: 'the file is empty', remedy: 'begin with version: 1' });
    return undefined;
  }
  const top = check(fileSchema, written, []);
  if ('findings' in top) top.findings.forEach(report);
  const data = 'data' in top ? top.data : undefined;
  const limits = limitsOver(defaultLimits, data?.guards);
  const timezone = data?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const sources = entriesOf(written, 'sources', yaml).map(([name, entry]) =>
    readSource(name, entry, registry, { limits, timezone }, report),
  );
  const targets = entriesOf(written, 'targets', yaml).map(([name, entry]) => readTarget(name, entry, registry, report));
  if (data === undefined) return undefined;
  if (sources.length === 0)
    report({ path: ['sources'], part: 'key', message: 'at least one source is needed', remedy: null });
  if (data.integration && !data.listen)
    report({
      ...{ path: ['integration'], part: 'key', message: 'nothing listens for its callers' },
      remedy: 'add listen: { port: … }, or take this out',
    });
  return {
    file,
    institution: data.institution,
    ...pathsOf(data, report),
    timezone,
    service: data.service,
    store: data.store,
    listen: data.listen ?? null,
    integration: data.integration ? keysOf(data.integration, data.institution) : null,
    metrics: data.metrics ?? null,
    roster: data.roster,
    retention: data.retention,
    sources: sources.filter((source) => source !== undefined),
    targets: targets.filter((target) => target !== undefined),
  };
}

function pathsOf({ stateDir, control }: WrittenFile, report: Report): Pick<Config, 'stateDir' | 'control'> {
  const directory = resolve(stateDir);
  const socket = control.socket === undefined ? join(directory, 'control.sock') : resolve(control.socket);
  if (Buffer.byteLength(socket) > longestSocketPath)
    report({
      path: control.socket === undefined ? ['stateDir'] : ['control', 'socket'],
      part: 'value',
      message: `the path of the control socket, ${socket}, has more than ${longestSocketPath} bytes`,
      remedy: 'give a shorter control.socket',
    });
  return { stateDir: directory, control: { socket } };
}

/** In the order of the file; objects put keys such as `2024` first. */
function entriesOf(written: unknown, key: 'sources' | 'targets', yaml: YamlFile): [string, unknown][] {
  const entries: unknown = (written as Record<string, unknown>)[key];
  if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) return [];
  const placed = Object.entries(entries).map((entry) => ({ entry, ...yaml.place([key, entry[0]], 'key') }));
  return placed.sort((a, b) => a.line - b.line || a.column - b.column).map(({ entry }) => entry);
}

function problemOf({ path, part, message, remedy }: Finding, yaml: YamlFile): Problem {
  return { ...yaml.place(path, part), path: pathText(path), message, remedy };
}

function readText(file: string): { text: string; bytes: Buffer } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = { ENOENT: 'there is no such file', EACCES: 'it may not be read', EISDIR: 'it is a directory' };
    throw new Misconfigured(`cannot read the configuration: ${reason[code as keyof typeof reason] ?? message}`, {
      where: { file },
      cause,
    });
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), bytes };
  } catch (cause) {
    throw new Misconfigured('the configuration is not UTF-8 text', { where: { file }, cause });
  }
}
