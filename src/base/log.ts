import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

/** Where outcomes are written; see `openLog`. */
export type Log = Logger;

/**
 * The log: one line per outcome on standard error, with a stable `event` name. On a terminal it is readable, elsewhere
 * it is JSON. Results never go here; they go to standard output.
 */
export function openLog(options: { level?: string; terminal?: boolean } = {}): Log {
  const level = options.level ?? process.env['ROSTERD_LOG_LEVEL'] ?? 'info';
  const terminal = options.terminal ?? process.stderr.isTTY;
  const base = { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime };
  if (!terminal) return pino(base, pino.destination({ dest: 2, sync: true }));
  return pino(
    base,
    pretty({ destination: 2, sync: true, ignore: 'event', translateTime: 'SYS:HH:MM:ss', hideObject: false }),
  );
}

/** A log that says nothing, for tests and for commands that print their own story. */
export const silentLog: Log = pino({ level: 'silent' });
