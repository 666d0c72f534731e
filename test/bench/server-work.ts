import type { Db } from 'mongodb';

/** What a server did, from its own books. */
export interface Work {
  /** How many commands of each name; each is a round trip. */
  commands: Record<string, number>;
  /** The server's own time for commands that write and that read, in seconds; those at the same time are added up. */
  writing: number;
  reading: number;
  /** Documents and bytes of BSON in the database. */
  documents: number;
  bytes: number;
}

/** Commands by which drivers look after their connections, and ours by which this is asked. */
const upkeep = new Set([
  ...['hello', 'ismaster', 'isMaster', 'ping', 'endSessions', 'saslStart', 'saslContinue', 'buildInfo'],
  ...['serverStatus', 'dbStats'],
]);

interface Status {
  metrics: { commands: Record<string, { total?: number }> };
  opLatencies: Partial<Record<'reads' | 'writes', { latency: number }>>;
}

/** How it stands: all counters since the start of the server. */
export async function lookAt(db: Db): Promise<Work> {
  const status = (await db.admin().command({ serverStatus: 1 })) as unknown as Status;
  const stats = await db.command({ dbStats: 1 });
  const totals = Object.entries(status.metrics.commands).map(
    ([name, { total }]) => [name, Number(total ?? 0)] as const,
  );
  return {
    commands: Object.fromEntries(totals.filter(([name, total]) => total > 0 && !upkeep.has(name))),
    writing: Number(status.opLatencies.writes?.latency ?? 0) / 1e6,
    reading: Number(status.opLatencies.reads?.latency ?? 0) / 1e6,
    documents: Number(stats['objects']),
    bytes: Number(stats['dataSize']),
  };
}

/** What came between two looks. */
export function since(before: Work, after: Work): Work {
  const commands: Record<string, number> = {};
  for (const [name, total] of Object.entries(after.commands)) {
    const more = total - (before.commands[name] ?? 0);
    if (more > 0) commands[name] = more;
  }
  return {
    commands,
    writing: after.writing - before.writing,
    reading: after.reading - before.reading,
    documents: after.documents - before.documents,
    bytes: after.bytes - before.bytes,
  };
}

export function roundTrips({ commands }: Pick<Work, 'commands'>): number {
  return Object.values(commands).reduce((sum, count) => sum + count, 0);
}
