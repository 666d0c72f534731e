import type { ChangeType, DeliveryItem } from '../../connector/target.ts';
import type { Outbox, OutboxCounts, OutboxItem, OutboxStatus } from '../port.ts';
import { type Database, parse, type Row } from './database.ts';

/** The queue between roster and targets. An item's number in the table is its place in the order. */
export function outbox(db: Database): Outbox {
  return {
    async recover(target) {
      return db.run("UPDATE outbox SET status = 'queued' WHERE target = ? AND status = 'processing'", target);
    },

    async queued(target, after, limit) {
      return db
        .all(
          `SELECT seq, body, attempts FROM outbox WHERE target = ? AND status = 'queued' AND seq > ? ORDER BY seq LIMIT ?`,
          target,
          after,
          limit,
        )
        .map((row) => ({
          seq: Number(row['seq']),
          item: parse<DeliveryItem>(row['body']),
          attempts: Number(row['attempts']),
        }));
    },

    async processing(target, items) {
      db.tx(() => {
        for (const item of items)
          db.run("UPDATE outbox SET status = 'processing' WHERE item = ? AND target = ?", item, target);
      });
    },

    async settle(target, results) {
      db.tx(() => {
        for (const result of results)
          db.run(
            'UPDATE outbox SET status = ?, answer = ?, attempts = attempts + 1 WHERE item = ? AND target = ?',
            result.outcome === 'retry' ? 'queued' : result.outcome,
            result.answer,
            result.item,
            target,
          );
      });
    },

    async counts() {
      const counts: Record<string, OutboxCounts> = {};
      for (const row of db.all('SELECT target, status, count(*) AS n FROM outbox GROUP BY target, status')) {
        const target = row['target'] as string;
        counts[target] ??= { queued: 0, processing: 0, sent: 0, failed: 0 };
        counts[target][row['status'] as OutboxStatus] = Number(row['n']);
      }
      return counts;
    },

    async list({ target, status, plan, limit }) {
      // Written out, so that the index serves: the oldest failed item lies behind a hundred thousand sent ones.
      const given = Object.entries({ target, status, plan }).filter((entry) => entry[1] !== undefined);
      const where = given.length ? `WHERE ${given.map(([column]) => `${column} = ?`).join(' AND ')}` : '';
      return db
        .all(`SELECT * FROM outbox ${where} ORDER BY seq LIMIT ?`, ...given.map(([, value]) => value!), limit)
        .map(itemOf);
    },

    async *all() {
      for (let after = 0; ; ) {
        const page = db.all('SELECT * FROM outbox WHERE seq > ? ORDER BY seq LIMIT 1000', after);
        if (!page.length) return;
        yield* page.map(itemOf);
        after = Number(page.at(-1)!['seq']);
      }
    },

    async restore(items) {
      db.tx(() => {
        for (const { item, target, plan, type, status, attempts, answer, delivery } of items)
          db.run(
            `INSERT OR IGNORE INTO outbox (item, target, plan, type, status, attempts, answer, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
            ...[item, target, plan, type, status, attempts, answer, JSON.stringify(delivery)],
          );
      });
    },

    async forget(target, keep, except) {
      return db.run(
        `DELETE FROM outbox WHERE target = ?1 AND status = 'sent' AND plan NOT IN (SELECT value FROM json_each(?3))
         AND seq <= (SELECT seq FROM outbox WHERE target = ?1 AND status = 'sent' ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
        target,
        keep,
        JSON.stringify(except),
      );
    },
  };
}

function itemOf(row: Row): OutboxItem {
  return {
    item: row['item'] as string,
    target: row['target'] as string,
    plan: row['plan'] as string,
    type: row['type'] as ChangeType,
    status: row['status'] as OutboxStatus,
    attempts: Number(row['attempts']),
    answer: row['answer'] as string | null,
    delivery: parse<DeliveryItem>(row['body']),
  };
}
