import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Misconfigured } from '../../base/errors.ts';
import type { Lock, LockName, Store } from '../port.ts';
import { Database } from './database.ts';
import { history } from './history.ts';
import { runs, snapshots, sourceStates } from './ledger.ts';
import { move } from './move.ts';
import { outbox } from './outbox.ts';
import { plans } from './plans.ts';
import { roster } from './roster.ts';
import { rows } from './rows.ts';

/**
 * The embedded store: one SQLite file in the directory, made when it is not there. Throws `Misconfigured`, also where it is
 * another institution's; without `institution` nobody asks whose it is. `look`: what is nobody's yet stays so.
 */
export function openEmbeddedStore(directory: string, institution?: string, look = false): Store {
  const db = new Database(directory);
  if (institution !== undefined) refuseForeign(db, institution, directory, look);
  const locks = locksOf(join(directory, 'lock.db'));
  return {
    kind: 'embedded',
    place: directory,
    // a file goes nowhere
    away: null,
    sources: sourceStates(db),
    runs: runs(db),
    snapshots: snapshots(db),
    rows: { ...rows(db), ...history(db) },
    plans: plans(db),
    roster: roster(db),
    outbox: outbox(db),
    lock: async (on) => locks.take(on),
    move: move(db),
    async close() {
      locks.close();
      db.close();
    },
  };
}

/**
 * The first who opens it has it for good. People of two institutions have the same ids and numbers, and would be taken for
 * one another.
 */
function refuseForeign(db: Database, institution: string, directory: string, look: boolean): void {
  const owner = (): unknown => db.get('SELECT institution FROM owner')?.['institution'];
  if (owner() === undefined && !look)
    db.run('INSERT OR IGNORE INTO owner (one, institution) VALUES (1, ?)', institution);
  const found = owner();
  if (found === institution || found === undefined) return;
  db.close();
  throw new Misconfigured(`the store ${directory} belongs to the institution ${found}, not to ${institution}`, {
    remedy: 'set stateDir to one of its own, or correct institution',
  });
}

/**
 * The locks of one process. Whoever holds any of them holds the whole directory against other processes: one file has
 * one writer.
 */
function locksOf(file: string): { take(on: LockName): Lock | null; close(): void } {
  const held = new Map<LockName, Lock>();
  const never = new AbortController().signal;
  let whole: { close(): void } | null = null;
  return {
    take(on) {
      if (held.has(on)) return null;
      whole ??= lockFile(file);
      if (!whole) return null;
      const lock: Lock = {
        lost: never,
        async release() {
          if (held.get(on) !== lock) return;
          held.delete(on);
          if (held.size) return;
          whole?.close();
          whole = null;
        },
      };
      held.set(on, lock);
      return lock;
    },
    close() {
      held.clear();
      whole?.close();
      whole = null;
    },
  };
}

/**
 * A lock that ends with its holder: an exclusive transaction on a file of its own, which the kernel gives back however
 * the process dies. A pid file was refused: after a kill it says "taken" to everybody, or "free" to the wrong one.
 */
function lockFile(file: string): { close(): void } | null {
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode === 5) return null;
    throw error;
  }
  return { close: () => db.close() };
}
