import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Lock, Store } from '../port.ts';
import { Database } from './database.ts';
import { runs, snapshots, sourceStates } from './ledger.ts';
import { outbox } from './outbox.ts';
import { plans } from './plans.ts';
import { roster } from './roster.ts';
import { rows } from './rows.ts';

/** The embedded store: one SQLite file in the directory, made when it is not there. Throws `Misconfigured`. */
export function openEmbeddedStore(directory: string): Store {
  const db = new Database(directory);
  const locks = new Set<Lock>();
  return {
    kind: 'embedded',
    sources: sourceStates(db),
    runs: runs(db),
    snapshots: snapshots(db),
    rows: rows(db),
    plans: plans(db),
    roster: roster(db),
    outbox: outbox(db),
    async lock() {
      const lock = lockFile(join(directory, 'lock.db'), () => locks.delete(lock!));
      if (lock) locks.add(lock);
      return lock;
    },
    async close() {
      for (const lock of locks) await lock.release();
      db.close();
    },
  };
}

/**
 * A lock that ends with its holder: an exclusive transaction on a file of its own, which the kernel gives back however
 * the process dies. A pid file was refused: after a kill it says "taken" to everybody, or "free" to the wrong one.
 */
function lockFile(file: string, released: () => void): Lock | null {
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode === 5) return null;
    throw error;
  }
  return {
    async release() {
      if (db.isOpen) db.close();
      released();
    },
  };
}
