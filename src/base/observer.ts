/** Told what happened, once each, by whoever makes it happen. Counts it; must neither throw nor wait. */
export interface Observer {
  /** A run has ended, or a person decided about its held part. */
  runEnded(source: string, status: string): void;
  /** A plan was made, and these guards hold a part of it. */
  guardsTripped(source: string, guards: readonly string[]): void;
  /** A part of a plan is in the roster. */
  changesApplied(source: string, counts: Readonly<Partial<Record<string, number>>>): void;
  /** A target answered to items. */
  itemsSettled(target: string, counts: Readonly<Record<'sent' | 'failed' | 'retry', number>>): void;
  /** A target took so long to answer to a batch, or to fail. */
  batchAnswered(target: string, seconds: number): void;
  /** A scheduled run began so long after its time. */
  runStarted(source: string, lagSeconds: number): void;
}
