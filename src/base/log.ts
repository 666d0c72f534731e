import { fstatSync } from 'node:fs';
import pino, { type DestinationStream } from 'pino';
import pretty from 'pino-pretty';
import { kindOf, Misconfigured, messageOf } from './errors.ts';
import { type EventAt, type EventName, events, type Form, fields, type Level, levels, type Said } from './events.ts';
import { plain } from './plain.ts';
import { scrub } from './redact.ts';

/**
 * Where outcomes are written, one line each, with an event of the registry and the fields that it declares. Nothing else
 * gets through: what is not declared is dropped, and every text is scrubbed. `level` may be set at any time.
 */
export type Log = {
  [L in Level]: <E extends EventAt<L>>(said: Said<E>, text: string) => void;
} & {
  /** For an event whose outcome decides on the level. */
  at: <L extends Level, E extends EventAt<L>>(level: L, said: Said<E>, text: string) => void;
  level: LogLevel;
};

/** Levels that a log may be set to: what is quieter than it is not written. */
export const logLevels = [...levels, 'silent'] as const;
/** One of them. */
export type LogLevel = (typeof logLevels)[number];

/** How to open a log; what is left out is found out from the process. */
export interface LogOptions {
  level?: LogLevel | undefined;
  /** Readable lines in place of JSON. */
  terminal?: boolean;
  /** JSON behind the journal's priority, `<3>` to `<7>`. */
  journal?: boolean;
  /** Where to, if not standard error. */
  to?: DestinationStream;
}

/** syslog(3) has more, and rosterd no use for them. */
const priorities: Readonly<Record<Level, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

/**
 * Opens the log. On a terminal it is readable, elsewhere JSON with a time of its own (a line may leave the journal), and
 * with neither machine nor process, which the journal knows better. Results never go here; they go to standard output.
 */
export function openLog(options: LogOptions = {}): Log {
  const level = options.level ?? levelOf(process.env['ROSTERD_LOG_LEVEL'], 'ROSTERD_LOG_LEVEL') ?? 'info';
  const terminal = options.terminal ?? process.stderr.isTTY === true;
  const journal = options.journal ?? journalReads(2);
  const out = options.to ?? standardError();
  const logger = pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      // pino would take what is in `err` for an Error
      serializers: { err: (told) => told },
      formatters: { level: (label) => ({ level: label }) },
    },
    terminal ? readable(out) : journal ? prefixed(out) : out,
  );
  const at = (level: Level, said: { event: EventName }, text: string): void => {
    if (logger.isLevelEnabled(level)) logger[level](admitted(said), asText(text));
  };
  return {
    at,
    error: (said, text) => at('error', said, text),
    warn: (said, text) => at('warn', said, text),
    info: (said, text) => at('info', said, text),
    debug: (said, text) => at('debug', said, text),
    get level() {
      return logger.level as LogLevel;
    },
    set level(wanted) {
      logger.level = wanted;
    },
  };
}

/** A log that says nothing, for tests and for commands that print their own story. */
export const silentLog: Log = {
  at() {},
  error() {},
  warn() {},
  info() {},
  debug() {},
  level: 'silent',
};

/** Reads the name of a level; undefined when there is none. `from`: who wrote it. Throws `Misconfigured`. */
export function levelOf(text: string | undefined, from: string): LogLevel | undefined {
  if (text === undefined || text === '') return undefined;
  const level = logLevels.find((one) => one === text.toLowerCase());
  if (level) return level;
  throw new Misconfigured(`${from} names no level of the log`, { remedy: `one of ${logLevels.join(', ')}` });
}

/** Lines for standard error as the journal wants them: with the priority in front when it reads them, else as they are. */
export function forJournal(level: Level, text: string, journal = journalReads(2)): string {
  return journal ? text.replace(/^(?=.)/gm, `<${priorities[level]}>`) : text;
}

/** True when the journal is at the other end (systemd.exec(5), `JOURNAL_STREAM`), not a pipe that the service made. */
function journalReads(fd: number): boolean {
  const stream = process.env['JOURNAL_STREAM'];
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** What waits there while it cannot be written; the rest of the lines is lost. */
const waitingAtMost = 1024 * 1024;

/** Standard error. That it cannot be written (its disk is full) ends no service: lines wait for better times. */
function standardError(): DestinationStream {
  const out = pino.destination({ dest: 2, sync: true, maxLength: waitingAtMost });
  out.on('error', () => {});
  return out;
}

function prefixed(out: DestinationStream): DestinationStream {
  const stream = {
    // pino tells the level of each line to a stream that has this
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write(line: string) {
      out.write(`<${priorities[pino.levels.labels[stream.lastLevel] as Level]}>${line}`);
    },
  };
  return stream;
}

function readable(to: DestinationStream): DestinationStream {
  return pretty({
    destination: to as NodeJS.WritableStream,
    sync: true,
    ignore: 'event',
    translateTime: 'SYS:HH:MM:ss',
  });
}

/** The fields that the registry declares for the event, each in its form; everything else stays here. */
function admitted(said: { event: EventName } & Record<string, unknown>): Record<string, unknown> {
  const line: Record<string, unknown> = { event: said.event in events ? said.event : 'unknown' };
  for (const name of events[said.event]?.fields ?? []) {
    const value = said[name];
    if (value !== null && value !== undefined) line[name] = forms[fields[name]](value);
  }
  return line;
}

const improper = '[not shown]';
const entriesAtMost = 50;

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const asName = (value: unknown): string =>
  typeof value === 'string' && /^[\w.:+-]{1,200}$/.test(value) ? scrub(value) : improper;

/** Without what a terminal obeys, too: the journal is read on one. */
const asText = (value: unknown): string => cut(plain(scrub(String(value))));

/** One way for each form. A value that is none of its form is not written. */
const forms: Readonly<Record<Form, (value: unknown) => unknown>> = {
  name: asName,
  names: (value) => (Array.isArray(value) ? value.slice(0, entriesAtMost).map(asName) : improper),
  count: (value) => (isCount(value) ? value : improper),
  counts: (value) => {
    const entries = Object.entries(Object(value)).filter((entry) => isCount(entry[1]));
    return Object.fromEntries(entries.slice(0, entriesAtMost).map(([name, count]) => [asName(name), count]));
  },
  flag: (value) => value === true,
  time: (value) => (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? value : improper),
  text: asText,
  failure: (value) => {
    const { kind, message } = Object(value) as { kind?: unknown; message?: unknown };
    return { kind: asName(kind), message: asText(message) };
  },
  exception: (value) => told(value, 3),
};

const frame = /^\s+at .*(:\d+:\d+\)?|\(<anonymous>\)|\(native\)|\(index \d+\)|data:…\)?)$/;

/** An exception without what it carries along: kind, text, where it came from, and the same of its causes. */
function told(error: unknown, depth: number): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const { cause, stack = '' } = error;
  const code = (error as { code?: unknown }).code;
  // Each by its form: the message stands before them, and may have lines. Code that was made of a text is that text.
  const lines = stack.replace(/\bdata:\S*/g, 'data:…').split('\n');
  const frames = lines.filter((line) => frame.test(line));
  return {
    type: asName(error.name),
    kind: kindOf(error),
    ...(code === undefined ? {} : { code: asName(String(code)) }),
    message: asText(messageOf(error)),
    stack: frames.slice(0, 12).map((line) => asText(line.trim())),
    ...(cause instanceof Error && depth > 1 ? { cause: told(cause, depth - 1) } : {}),
  };
}

/** The journal cuts a line at 48 KiB by itself, and in the middle. */
function cut(text: string): string {
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}
