import {
  nothingInForce,
  type Run,
  type Runs,
  type Snapshot,
  type Snapshots,
  type SourceState,
  type SourceStates,
} from '../port.ts';
import { type Database, parse } from './database.ts';

/** The documents that are written whole: source states, runs, snapshots with their packs of digests. */

function stateOf(doc: unknown): SourceState {
  return { ...nothingInForce, ...parse<SourceState>(doc) };
}

/** Where each source stands. */
export function sourceStates(db: Database): SourceStates {
  return {
    async get(source) {
      const row = db.get('SELECT doc FROM source_states WHERE source = ?', source);
      return row ? stateOf(row['doc']) : { source, ...nothingInForce };
    },
    async put(state) {
      db.run('INSERT OR REPLACE INTO source_states (source, doc) VALUES (?, ?)', state.source, JSON.stringify(state));
    },
    async all() {
      return db.all('SELECT doc FROM source_states ORDER BY source').map((row) => stateOf(row['doc']));
    },
  };
}

/** Every run, whole. */
export function runs(db: Database): Runs {
  return {
    async put(run) {
      db.run(
        'INSERT OR REPLACE INTO runs (run, source, started, ended, doc) VALUES (?, ?, ?, ?, ?)',
        run.run,
        run.source,
        run.startedAt,
        run.endedAt,
        JSON.stringify(run),
      );
    },
    async get(run) {
      const row = db.get('SELECT doc FROM runs WHERE run = ?', run);
      return row ? parse<Run>(row['doc']) : null;
    },
    async list({ source, skip, limit }) {
      return db
        .all(
          'SELECT doc FROM runs WHERE ?1 IS NULL OR source = ?1 ORDER BY started DESC, rowid DESC LIMIT ?2 OFFSET ?3',
          source ?? null,
          limit,
          skip ?? 0,
        )
        .map((row) => parse<Run>(row['doc']));
    },
    async forget(runs) {
      db.tx(() => {
        for (const run of runs) db.run('DELETE FROM runs WHERE run = ?', run);
      });
    },
  };
}

const piece = 1024 * 1024;

/** Every snapshot, and its digests in packs. */
export function snapshots(db: Database): Snapshots {
  return {
    async put(snapshot) {
      db.run(
        'INSERT OR REPLACE INTO snapshots (source, number, at, doc) VALUES (?, ?, ?, ?)',
        snapshot.source,
        snapshot.number,
        snapshot.at,
        JSON.stringify(snapshot),
      );
    },
    async get(source, number) {
      const row = db.get('SELECT doc FROM snapshots WHERE source = ? AND number = ?', source, number);
      return row ? parse<Snapshot>(row['doc']) : null;
    },
    async list({ source, skip, limit }) {
      return db
        .all(
          'SELECT doc FROM snapshots WHERE ?1 IS NULL OR source = ?1 ORDER BY at DESC, number DESC LIMIT ?2 OFFSET ?3',
          source ?? null,
          limit,
          skip ?? 0,
        )
        .map((row) => parse<Snapshot>(row['doc']));
    },
    async putPack(source, number, kind, digests) {
      db.tx(() => {
        db.run('DELETE FROM packs WHERE source = ? AND number = ? AND kind = ?', source, number, kind);
        for (let at = 0, n = 0; at < digests.length; at += piece, n += 1)
          db.run(
            'INSERT INTO packs (source, number, kind, piece, bytes) VALUES (?, ?, ?, ?, ?)',
            source,
            number,
            kind,
            n,
            digests.subarray(at, at + piece),
          );
      });
    },
    async forget(source, numbers) {
      db.tx(() => {
        for (const number of numbers) {
          db.run('DELETE FROM snapshots WHERE source = ? AND number = ?', source, number);
          db.run('DELETE FROM packs WHERE source = ? AND number = ?', source, number);
        }
      });
    },
    async pack(source, number, kind) {
      const size = db.get(
        'SELECT coalesce(sum(length(bytes)), 0) AS size FROM packs WHERE source = ? AND number = ? AND kind = ?',
        source,
        number,
        kind,
      )!;
      const whole = new Uint8Array(Number(size['size']));
      for (let at = 0, n = 0; at < whole.length; n += 1) {
        const bytes = db.get(
          'SELECT bytes FROM packs WHERE source = ? AND number = ? AND kind = ? AND piece = ?',
          source,
          number,
          kind,
          n,
        )!['bytes'] as Uint8Array;
        whole.set(bytes, at);
        at += bytes.length;
      }
      return whole;
    },
  };
}
