import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Incomplete } from '../../src/base/errors.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import { type SpooledPart, spoolAnswer } from '../../src/connector/spool.ts';
import { missing, oldest, type Waiting, waitingNames } from './files.ts';
import { merge } from './merge.ts';
import type { PushSettings } from './schema.ts';
import { keepWhole, wholeInForce } from './whole.ts';

/** Answers with the push that has waited longest: itself when it is a whole list, merged into the one in force if not. */
export async function pull(settings: PushSettings, context: SourceContext): Promise<Answer | null> {
  context.signal.throwIfAborted();
  const entry = await oldest(context.keepDir);
  if (entry === null) return null;
  const size = (await stat(entry.rows).catch(missing(null)))?.size;
  if (size !== entry.spooled.bytes)
    throw new Incomplete(`what was received for ${entry.run} is damaged`, { remedy: 'have it sent again' });
  return entry.answer === 'snapshot' ? wholeList(entry, settings, context) : delta(entry, settings, context);
}

/**
 * The column by which rows are keyed. Rows that came before this was written down are taken as keyed by what `idField` is
 * today: it seldom changes, and to doubt it would cost every source a whole list for nothing.
 */
const keyedBy = ({ idField }: Pick<Waiting, 'idField'>, settings: PushSettings): string => idField ?? settings.idField;

async function wholeList(entry: Waiting, settings: PushSettings, context: SourceContext): Promise<Answer> {
  const { run, columns, spooled } = entry;
  const idField = keyedBy(entry, settings);
  const answer = await spoolAnswer([part(entry, { ...spooled, file: entry.rows }, columns)], context.signal);
  await keepWhole(context.keepDir, answer.content, entry.rows, 'link', { run, columns, idField, spooled });
  return answer;
}

async function delta(entry: Waiting, settings: PushSettings, context: SourceContext): Promise<Answer> {
  const whole = await wholeInForce(context.keepDir, context.lastContent);
  const [idField, kept] = [keyedBy(entry, settings), keyedBy(whole, settings)];
  if (idField !== kept)
    throw new Incomplete(`a delta came by ${idField}, and the list in force is kept by ${kept}`, {
      remedy: 'send a whole list (answer=snapshot): idField of this source has changed',
    });
  const file = join(context.spoolDir, 'merged.rows');
  const { spooled, columns } = await merge(whole, entry, context, file);
  const answer = await spoolAnswer([part(entry, spooled, columns)], context.signal);
  // open by now, so it may have another name
  const { file: _, ...facts } = spooled;
  await keepWhole(context.keepDir, answer.content, file, 'move', { run: entry.run, columns, idField, spooled: facts });
  return answer;
}

function part(entry: Waiting, spooled: SpooledPart['spooled'], columns: readonly string[]): SpooledPart {
  return { spooled, name: `push ${entry.run} record`, modified: entry.receivedAt, columns };
}

/** Says what waits here. Nobody is asked: this source is told. */
export async function probe(_: PushSettings, context: SourceContext): Promise<string[]> {
  const count = (await waitingNames(context.keepDir)).length;
  return [
    count ? `${count} ${count === 1 ? 'push waits for its run' : 'pushes wait for their runs'}` : 'nothing waits',
  ];
}
