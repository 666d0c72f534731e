import { nothingInForce, type SourceState } from '../../port.ts';
import type { SourceDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** A source that was never put has nothing in force. */
export async function getSource(m: Mongo, source: string): Promise<SourceState> {
  const doc = await m.attempt(() => m.sources.findOne({ _id: source }));
  return sourceOf(source, doc);
}

/** The state in a document, which may be there only because a lock has marked it. */
export function sourceOf(source: string, doc: SourceDoc | null): SourceState {
  const { _id, fence, ...state } = doc ?? {};
  return { source, ...nothingInForce, ...state };
}
