import type { ChangeType, DeliveryItem } from '../../connector/target.ts';
import { mostAnswers, personOf } from '../../outbox/items.ts';
import type { Outbox, OutboxCounts, OutboxItem, OutboxStatus, Pause, Platform, Review } from '../port.ts';
import { breath, type Database, parse, type Row } from './database.ts';
import { QueueHead } from './queue-head.ts';

/** The queue between roster and targets. An item's number in the table is its place in the order. */
export function outbox(db: Database): Outbox {
  const head = new QueueHead(db);
  return {
    async recover(target) {
      head.forget();
      return db.run(
        "UPDATE outbox SET status = 'queued' WHERE target = ? AND status = 'processing' AND because IS NULL",
        target,
      );
    },

    async queued(target, after, limit) {
      await breath();
      return head.page(target, after, limit);
    },

    async processing(target, items) {
      const known = head.take(target, items);
      const lost: string[] = [];
      for (let at = 0; at < items.length; at += pieceOf) {
        await breath();
        db.tx(() => {
          for (const item of items.slice(at, at + pieceOf)) {
            const seq = known.get(item);
            if (!db.run(seq === undefined ? taken.byItem : taken.bySeq, seq ?? item, target)) lost.push(item);
          }
        });
      }
      return lost;
    },

    async settle(target, results, at) {
      await breath();
      const known = head.settle(results.map(({ item }) => item));
      if (known.size < results.length || results.some(({ outcome }) => outcome === 'retry')) head.forget();
      db.tx(() => {
        for (const { item, outcome, answer, because, attempted } of results) {
          const seq = known.get(item);
          const by = attempted === false ? putAway : settled;
          db.run(
            seq === undefined ? by.byItem : by.bySeq,
            outcome === 'retry' ? 'queued' : outcome,
            answer,
            because ?? null,
            attempted === false ? 0 : 1,
            JSON.stringify({ at, outcome, answer }),
            seq ?? item,
            target,
          );
        }
      });
    },

    async merge(target, merges) {
      head.forget();
      db.tx(() => {
        for (const { into, delivery, gone } of merges) {
          const taken = db.run(
            `UPDATE outbox SET status = 'queued', because = NULL, attempts = 0, type = ?
             WHERE item = ? AND target = ? AND status IN ('queued', 'failed')`,
            delivery.type,
            into,
            target,
          );
          if (!taken) continue;
          putBody(db, into, delivery);
          for (const item of gone) supersede(db, target, item, into);
        }
      });
    },

    async supersede(target, items) {
      head.forget();
      db.tx(() => {
        for (const { item, because } of items) supersede(db, target, item, because);
      });
    },

    async replay(items) {
      head.forget();
      return db.tx(() =>
        items.flatMap(({ item, was, delivery }) => {
          const taken = db.run(
            `UPDATE outbox SET status = 'queued', because = NULL, attempts = 0
             WHERE item = ? AND status = ? AND status IN ('failed', 'sent')`,
            ...[item, was],
          );
          if (taken && delivery) putBody(db, item, delivery);
          return taken ? [item] : [];
        }),
      );
    },

    async ack(item, status, answer, at) {
      head.forget();
      const taking = status === 'processing';
      const from = taking ? "status = 'queued'" : `(status IN ('queued', 'failed') OR ${outside})`;
      const values = [status, taking ? 'outside' : null, answer];
      const trail = taking ? '' : `, trail = ${pushed}`;
      const said = taking ? [] : [JSON.stringify({ at, outcome: status, answer })];
      const sql = `UPDATE outbox SET status = ?, because = ?, answer = ?${trail} WHERE item = ? AND ${from}`;
      return db.run(sql, ...values, ...said, item) > 0;
    },

    async get(item) {
      const row = db.get(`SELECT * FROM ${whole} WHERE item = ?`, item);
      return row ? itemOf(row) : null;
    },

    async troubled(target) {
      return db
        .all(
          `SELECT DISTINCT person FROM outbox WHERE target = ?1 AND status = 'failed'
           UNION SELECT person FROM outbox WHERE target = ?1 AND ${outside} ORDER BY person`,
          target,
        )
        .map((row) => row['person'] as string);
    },

    async counts() {
      const counts: Record<string, OutboxCounts> = {};
      for (const row of db.all('SELECT target, status, count(*) AS n FROM outbox GROUP BY target, status')) {
        const target = row['target'] as string;
        counts[target] ??= { queued: 0, processing: 0, sent: 0, failed: 0 };
        const status = row['status'] as OutboxStatus;
        if (status !== 'superseded') counts[target][status] = Number(row['n']);
      }
      return counts;
    },

    async list({ target, status, plan, people, withReason, after, limit }) {
      // Written out, so that the index serves: the oldest failed item lies behind a hundred thousand sent ones.
      const given = Object.entries({ target, status, plan }).filter((entry) => entry[1] !== undefined);
      const terms = given.map(([column]) => `${column} = ?`);
      if (people) terms.push('person IN (SELECT value FROM json_each(?))');
      if (withReason) terms.push('because IS NOT NULL');
      if (after !== undefined) terms.push('seq > ?');
      const where = terms.length ? `WHERE ${terms.join(' AND ')}` : '';
      const values = [
        ...given.map(([, value]) => value!),
        ...(people ? [JSON.stringify(people)] : []),
        ...(after === undefined ? [] : [after]),
      ];
      return db.all(`SELECT * FROM ${whole} ${where} ORDER BY seq LIMIT ?`, ...values, limit).map(itemOf);
    },

    async *all() {
      for (let after = 0; ; ) {
        const page = db.all(`SELECT * FROM ${whole} WHERE seq > ? ORDER BY seq LIMIT 1000`, after);
        if (!page.length) return;
        yield* page.map(itemOf);
        after = Number(page.at(-1)!['seq']);
      }
    },

    async restore(items) {
      db.tx(() => {
        for (const { item, target, plan, type, person, status, attempts, answer, because, trail, delivery } of items) {
          const added = db.run(
            `INSERT OR IGNORE INTO outbox (item, target, plan, type, person, status, attempts, answer, because, trail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
            ...[item, target, plan, type, person, status, attempts, answer, because, JSON.stringify(trail)],
          );
          if (added) addBody(db, delivery);
        }
      });
    },

    async forget(target, keep, except) {
      // By the person: one has few items, while those that failed may be as many as there are people.
      return db.run(
        `DELETE FROM outbox WHERE target = ?1 AND status IN ('sent', 'superseded')
         AND plan NOT IN (SELECT value FROM json_each(?3))
         AND seq <= (SELECT seq FROM outbox WHERE target = ?1 AND status = 'sent' ORDER BY seq DESC LIMIT 1 OFFSET ?2)
         AND NOT EXISTS (SELECT 1 FROM outbox AS open INDEXED BY outbox_person
           WHERE open.person = outbox.person AND open.target = ?1 AND open.status IN ('failed', 'processing'))`,
        target,
        keep,
        JSON.stringify(except),
      );
    },

    async pauses() {
      return db.all('SELECT target, at, reason FROM pauses ORDER BY target') as unknown as Pause[];
    },

    async pause(target, pause) {
      if (pause)
        db.run('INSERT OR REPLACE INTO pauses (target, at, reason) VALUES (?, ?, ?)', target, pause.at, pause.reason);
      else db.run('DELETE FROM pauses WHERE target = ?', target);
    },

    async platforms() {
      return db.all('SELECT target, kind, address FROM platforms ORDER BY target') as unknown as Platform[];
    },

    async putPlatform({ target, kind, address }) {
      db.run('INSERT OR REPLACE INTO platforms (target, kind, address) VALUES (?, ?, ?)', target, kind, address);
    },

    async reviews() {
      return db.all(
        'SELECT account, discrepancy, at, note FROM reviews ORDER BY account, discrepancy',
      ) as unknown as Review[];
    },

    async review({ account, discrepancy, at, note }) {
      db.run(
        'INSERT OR REPLACE INTO reviews (account, discrepancy, at, note) VALUES (?, ?, ?, ?)',
        account,
        discrepancy,
        at,
        note,
      );
    },

    async unreview(reviews) {
      db.tx(() => {
        for (const { account, discrepancy } of reviews)
          db.run('DELETE FROM reviews WHERE account = ? AND discrepancy = ?', account, discrepancy);
      });
    },
  };
}

/** So many items are marked at once; between, what goes on with the target has its turn. */
const pieceOf = 500;

/** Items with what they say. In this order: the other table has no index that would serve. */
const whole = 'outbox CROSS JOIN outbox_bodies USING (seq)';

/** Items that another system has in hand. */
const outside = "(status = 'processing' AND because IS NOT NULL)";

/** The trail with one more answer, and without the oldest of too many. */
const pushed = `(SELECT CASE WHEN trail = '[]' THEN '[' || said || ']'
  WHEN json_array_length(trail) < ${mostAnswers} THEN json_insert(trail, '$[#]', json(said))
  ELSE json_insert(json_remove(trail, '$[0]'), '$[#]', json(said)) END FROM (SELECT ? AS said))`;

/** A step of an item whose place is known, and of one that is known by its name: that costs twice as much. */
const both = (set: string, and = '') => ({
  bySeq: `UPDATE outbox SET ${set} WHERE seq = ? AND target = ?${and}`,
  byItem: `UPDATE outbox SET ${set} WHERE item = ? AND target = ?${and}`,
});
const taken = both("status = 'processing', because = NULL", " AND status = 'queued'");
const settling = `status = ?, answer = ?, because = ?, attempts = attempts + ?, trail = ${pushed}`;
const settled = both(settling);
const putAway = both(settling, ` AND (status = 'queued' OR (status = 'processing' AND because IS NULL))`);

function supersede(db: Database, target: string, item: string, because: string): void {
  db.run(
    `UPDATE outbox SET status = 'superseded', because = ? WHERE item = ? AND target = ? AND status IN ('queued', 'failed')`,
    because,
    item,
    target,
  );
}

/** What is queued of a change. */
export function queueItem(db: Database, plan: string, target: string, delivery: DeliveryItem): void {
  const added = db.run(
    `INSERT OR IGNORE INTO outbox (item, target, plan, type, person, status, attempts, answer)
     VALUES (?, ?, ?, ?, ?, 'queued', 0, NULL)`,
    ...[delivery.item, target, plan, delivery.type, personOf(delivery)],
  );
  if (added) addBody(db, delivery);
}

/** What the item says that was inserted just now. */
function addBody(db: Database, delivery: DeliveryItem): void {
  db.run('INSERT INTO outbox_bodies (seq, body) VALUES (last_insert_rowid(), ?)', JSON.stringify(delivery));
}

function putBody(db: Database, item: string, delivery: DeliveryItem): void {
  db.run(
    'UPDATE outbox_bodies SET body = ? WHERE seq = (SELECT seq FROM outbox WHERE item = ?)',
    ...[JSON.stringify(delivery), item],
  );
}

function itemOf(row: Row): OutboxItem {
  return {
    item: row['item'] as string,
    seq: Number(row['seq']),
    target: row['target'] as string,
    plan: row['plan'] as string,
    type: row['type'] as ChangeType,
    person: row['person'] as string,
    status: row['status'] as OutboxStatus,
    attempts: Number(row['attempts']),
    answer: row['answer'] as string | null,
    because: row['because'] as string | null,
    trail: parse<OutboxItem['trail']>(row['trail']),
    delivery: parse<DeliveryItem>(row['body']),
  };
}
