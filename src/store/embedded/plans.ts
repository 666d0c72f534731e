import type { Note, PlanType, RowOrigin } from '../../reconcile/model.ts';
import type { PlannedChange, PlanSink } from '../../reconcile/plan.ts';
import type { Plan, PlanPosition, Plans } from '../port.ts';
import { breath, type Database, parse, type Row } from './database.ts';

const pageSize = 1000;

/** Plans, their changes in order, their notes and what they leave pending. */
export function plans(db: Database): Plans {
  const changes = (
    plan: string,
    types: readonly PlanType[] | null,
    after: PlanPosition | null,
    limit: number,
  ): PlannedChange[] =>
    db
      .all(
        `SELECT rank, key, type, body, origin FROM changes WHERE plan = ?1 AND (rank, key) > (?2, ?3)
         AND (?4 IS NULL OR type IN (SELECT value FROM json_each(?4))) ORDER BY rank, key LIMIT ?5`,
        db.idOf('plan_names', plan),
        after?.rank ?? -1,
        after?.key ?? '',
        types ? JSON.stringify(types) : null,
        limit,
      )
      .map(plannedOf);

  return {
    sink: (plan) => sink(db, plan, (after) => changes(plan, null, after, pageSize)),
    async put(plan) {
      db.run('INSERT OR REPLACE INTO plans (plan, doc) VALUES (?, ?)', plan.plan, JSON.stringify(plan));
    },
    async get(plan) {
      const row = db.get('SELECT doc FROM plans WHERE plan = ?', plan);
      return row ? parse<Plan>(row['doc']) : null;
    },
    async discard(plan) {
      db.tx(() => {
        db.run('DELETE FROM changes WHERE plan = (SELECT id FROM plan_names WHERE name = ?)', plan);
        for (const table of ['plans', 'notes', 'pending', 'applied'])
          db.run(`DELETE FROM ${table} WHERE plan = ?`, plan);
      });
    },
    async *all() {
      for (const { plan } of db.all('SELECT plan FROM plans ORDER BY plan')) {
        const row = db.get('SELECT doc FROM plans WHERE plan = ?', plan!);
        if (row) yield parse<Plan>(row['doc']);
      }
    },
    async changes(plan, types, after, limit) {
      await breath();
      return changes(plan, types, after, limit);
    },
    async notes(plan, limit) {
      return db
        .all('SELECT doc FROM notes WHERE plan = ? ORDER BY id LIMIT ?', plan, limit)
        .map((row) => parse<Note>(row['doc']));
    },
    async pendingKeys(plan) {
      return db.all('SELECT key FROM pending WHERE plan = ? ORDER BY key', plan).map((row) => row['key'] as string);
    },
  };
}

function sink(db: Database, plan: string, page: (after: PlanPosition | null) => PlannedChange[]): PlanSink {
  return {
    async add(batch) {
      if (!batch.length) return;
      db.tx(() => {
        const id = db.idOf('plan_names', plan);
        for (const { rank, key, type, body, rows } of batch)
          db.run(
            'INSERT OR REPLACE INTO changes (plan, rank, key, type, body, origin) VALUES (?, ?, ?, ?, ?, ?)',
            id,
            rank,
            key,
            type,
            body,
            JSON.stringify(rows),
          );
      });
    },
    async note(notes) {
      db.tx(() => {
        for (const note of notes) db.run('INSERT INTO notes (plan, doc) VALUES (?, ?)', plan, JSON.stringify(note));
      });
    },
    async pending(keys) {
      db.tx(() => {
        for (const key of keys) db.run('INSERT OR IGNORE INTO pending (plan, key) VALUES (?, ?)', plan, key);
      });
    },
    async *inOrder() {
      let after: PlanPosition | null = null;
      for (;;) {
        await breath();
        const batch: PlannedChange[] = page(after);
        if (!batch.length) return;
        yield batch;
        const last: PlannedChange = batch.at(-1)!;
        after = { rank: last.rank, key: last.key };
      }
    },
  };
}

/** Where a change comes from is read when somebody asks: applying and digesting a plan do not. */
function plannedOf(row: Row): PlannedChange {
  return {
    rank: Number(row['rank']),
    key: row['key'] as string,
    type: row['type'] as PlanType,
    body: row['body'] as string,
    get rows() {
      return parse<RowOrigin[]>(row['origin']);
    },
  };
}
