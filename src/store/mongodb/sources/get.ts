import type { SourceState } from '../../port.ts';
import type { SourceDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** A source that was never put has nothing in force. */
export async function getSource(m: Mongo, source: string): Promise<SourceState> {
  const doc = await m.attempt(() => m.sources.findOne({ _id: source }));
  return sourceOf(source, doc);
}

/** The state in a document, which may be there only because a lock has marked it. */
export function sourceOf(source: string, doc: SourceDoc | null): SourceState {
  return {
    source,
    current: doc?.current ?? null,
    staging: doc?.staging ?? null,
    next: doc?.next ?? 1,
    rules: doc?.rules ?? null,
    pending: doc?.pending ?? null,
    applying: doc?.applying ?? null,
    held: doc?.held ?? null,
    givenSince: doc?.givenSince ?? null,
    emptyApproved: doc?.emptyApproved ?? false,
    directory: doc?.directory ?? false,
  };
}
