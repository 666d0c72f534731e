import { expect, test } from 'vitest';
import type { OpenStore } from '../store.ts';
import { run, snapshot, state } from './samples.ts';

/** Source states, runs, snapshots and their packs: documents that are written whole. */
export function documentsConformance(open: OpenStore): void {
  test('a source that nobody wrote has a state with nothing in force and the number 1 to give', async () => {
    const { store } = await open();
    expect(await store.sources.get('sis')).toEqual(state('sis', { next: 1 }));
    expect(await store.sources.all()).toEqual([]);
  });

  test('a source state is written whole: nothing of the one before is left', async () => {
    const { store, reopen } = await open();
    const full = state('sis', {
      ...{ current: 4, staging: 5, next: 6, rules: 'r1', pending: 'p1', held: 'p1' },
      applying: { plan: 'p1', part: 'held' },
    });
    await store.sources.put(full);
    expect(await store.sources.get('sis')).toEqual(full);
    await store.sources.put(state('sis', { next: 7 }));
    expect(await (await reopen()).sources.get('sis')).toEqual(state('sis', { next: 7 }));
  });

  test('what is read is a copy: changing it changes nothing in the store', async () => {
    const { store } = await open();
    await store.sources.put(state('sis', { applying: { plan: 'p1', part: 'free' } }));
    const mine = await store.sources.get('sis');
    mine.applying!.part = 'held';
    mine.next = 99;
    expect(await store.sources.get('sis')).toEqual(state('sis', { applying: { plan: 'p1', part: 'free' } }));
  });

  test('all source states come sorted by name', async () => {
    const { store } = await open();
    for (const source of ['sis', 'hr', 'ärzte']) await store.sources.put(state(source, { next: 2 }));
    expect((await store.sources.all()).map(({ source }) => source)).toEqual(['hr', 'sis', 'ärzte']);
  });

  test('a run is kept whole, and the same again replaces it', async () => {
    const { store, reopen } = await open();
    expect(await store.runs.get('r1')).toBeNull();
    await store.runs.put(run('r1', { status: 'running', endedAt: null, durationMs: null, error: null }));
    const ended = run('r1', {
      status: 'failed',
      error: { kind: 'Incomplete', message: 'cut “last” line' },
      decision: { verdict: 'approved', at: '2026-02-01T09:00:00.000Z' },
    });
    await store.runs.put(ended);
    expect(await store.runs.get('r1')).toEqual(ended);
    expect(await (await reopen()).runs.list({ limit: 10 })).toEqual([ended]);
  });

  test('runs are listed newest first, by their start; of one start the one written later comes first', async () => {
    const { store } = await open();
    const at = (hour: number) => ({ startedAt: `2026-02-01T0${hour}:00:00.000Z` });
    await store.runs.put(run('b', at(2)));
    await store.runs.put(run('c', { ...at(1), source: 'hr' }));
    await store.runs.put(run('a', at(3)));
    await store.runs.put(run('d', at(2)));
    const names = async (filter: { source?: string; limit: number }) =>
      (await store.runs.list(filter)).map((one) => one.run);
    expect(await names({ limit: 10 })).toEqual(['a', 'd', 'b', 'c']);
    expect(await names({ limit: 2 })).toEqual(['a', 'd']);
    expect(await names({ source: 'hr', limit: 10 })).toEqual(['c']);
    expect(await names({ source: 'none', limit: 10 })).toEqual([]);
  });

  test('writing a run again does not make it newer', async () => {
    const { store } = await open();
    await store.runs.put(run('old', { startedAt: '2026-02-01T01:00:00.000Z' }));
    await store.runs.put(run('new', { startedAt: '2026-02-01T02:00:00.000Z' }));
    await store.runs.put(run('old', { startedAt: '2026-02-01T01:00:00.000Z', status: 'held' }));
    expect((await store.runs.list({ limit: 10 })).map((one) => one.run)).toEqual(['new', 'old']);
  });

  test('snapshots are found by source and number, and listed newest first', async () => {
    const { store, reopen } = await open();
    for (const one of [snapshot('sis', 1), snapshot('hr', 2), snapshot('sis', 3)]) await store.snapshots.put(one);
    const again = await reopen();
    expect(await again.snapshots.get('sis', 3)).toEqual(snapshot('sis', 3));
    expect(await again.snapshots.get('sis', 2)).toBeNull();
    const numbers = async (filter: { source?: string; limit: number }) =>
      (await again.snapshots.list(filter)).map(({ source, number }) => `${source}-${number}`);
    expect(await numbers({ limit: 10 })).toEqual(['sis-3', 'hr-2', 'sis-1']);
    expect(await numbers({ source: 'sis', limit: 10 })).toEqual(['sis-3', 'sis-1']);
    expect(await numbers({ limit: 1 })).toEqual(['sis-3']);
  });

  test('a pack that is not there is empty, and so is an empty one', async () => {
    const { store } = await open();
    expect(await store.snapshots.pack('sis', 1, 'full')).toEqual(new Uint8Array(0));
    await store.snapshots.putPack('sis', 1, 'full', new Uint8Array(0));
    expect(await store.snapshots.pack('sis', 1, 'full')).toEqual(new Uint8Array(0));
  });

  test('a pack of several pieces comes back byte for byte, whatever its size', async () => {
    const { store, reopen } = await open();
    const mebibyte = 1024 * 1024;
    for (const size of [16, mebibyte, mebibyte + 16, 3 * mebibyte, 5 * mebibyte + 48]) {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 1) bytes[at] = at * 31 + (at >> 8) * 7 + (at >> 20);
      await store.snapshots.putPack('sis', size, 'full', bytes);
      const read = await store.snapshots.pack('sis', size, 'full');
      // A comparison by matcher would take seconds.
      expect(Buffer.compare(read, bytes), `${size} bytes`).toBe(0);
    }
    expect(await (await reopen()).snapshots.pack('sis', 5 * mebibyte + 48, 'full')).toHaveLength(5 * mebibyte + 48);
  });

  test('a pack may lie anywhere in a larger buffer', async () => {
    const { store } = await open();
    const large = Uint8Array.from({ length: 64 }, (_, at) => at);
    await store.snapshots.putPack('sis', 1, 'added', large.subarray(16, 48));
    expect([...(await store.snapshots.pack('sis', 1, 'added'))]).toEqual([...large.subarray(16, 48)]);
  });

  test('a pack put again replaces all pieces of the one before, also by fewer', async () => {
    const { store } = await open();
    await store.snapshots.putPack('sis', 1, 'full', new Uint8Array(2 * 1024 * 1024 + 16).fill(1));
    await store.snapshots.putPack('sis', 1, 'full', new Uint8Array(32).fill(2));
    expect(await store.snapshots.pack('sis', 1, 'full')).toEqual(new Uint8Array(32).fill(2));
  });

  test('packs of other kinds, numbers and sources do not touch each other', async () => {
    const { store } = await open();
    const places = [
      ['sis', 1, 'full'],
      ['sis', 1, 'added'],
      ['sis', 1, 'gone'],
      ['sis', 2, 'full'],
      ['hr', 1, 'full'],
    ] as const;
    for (const [n, [source, number, kind]] of places.entries())
      await store.snapshots.putPack(source, number, kind, new Uint8Array(16).fill(n));
    for (const [n, [source, number, kind]] of places.entries())
      expect(await store.snapshots.pack(source, number, kind)).toEqual(new Uint8Array(16).fill(n));
  });
}
