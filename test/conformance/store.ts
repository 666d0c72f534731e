import { describe, onTestFinished } from 'vitest';
import type { Store } from '../../src/store/port.ts';
import { documentsConformance } from './store/documents.ts';
import { evidenceConformance } from './store/evidence.ts';
import { holdingConformance } from './store/holding.ts';
import { keepingConformance } from './store/keeping.ts';
import { outboxConformance } from './store/outbox.ts';
import { plansConformance } from './store/plans.ts';
import { rosterConformance } from './store/roster.ts';
import { rowsConformance } from './store/rows.ts';

/** A store under test, empty when it is opened. */
export interface OpenedStore {
  store: Store;
  /** Closes the store and opens it again where it was. */
  reopen(): Promise<Store>;
  /** Closes it and takes away everything. Called once, at the end. */
  dispose(): Promise<void>;
  /** What `lock-holder.ts` needs to open the same store in another process. */
  holder: readonly string[];
  /** Milliseconds after which the lock of a killed process is free again; 0: at once. */
  lockLapseMs: number;
  /**
   * Two characters whose order tells bytes of UTF-8 from units of UTF-16. Null for mongo-java-server, which orders text
   * by the latter; MongoDB itself does not.
   */
  hardOrder: readonly [string, string] | null;
}

/** Two characters whose order in UTF-16 is the other one. */
export const hardOrder = ['\uff21', '\u{1f393}'] as const;

export type OpenStore = () => Promise<OpenedStore>;

/**
 * The conformance suite of the store port: every adapter passes it whole. It asks for what the port promises and for
 * nothing else, so that an adapter without transactions over several documents passes as well.
 */
export function storeConformance(name: string, open: OpenStore): void {
  const openForTest: OpenStore = async () => {
    const opened = await open();
    onTestFinished(() => opened.dispose());
    return opened;
  };
  describe(`store port: ${name}`, () => {
    describe('documents', () => documentsConformance(openForTest));
    describe('rows', () => rowsConformance(openForTest));
    describe('evidence', () => evidenceConformance(openForTest));
    describe('plans', () => plansConformance(openForTest));
    describe('roster', () => rosterConformance(openForTest));
    describe('outbox', () => outboxConformance(openForTest));
    describe('keeping and moving', () => keepingConformance(openForTest));
    describe('lock and life', () => holdingConformance(openForTest));
  });
}
