import { Incomplete } from '../../src/base/errors.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import type { Choice } from './choose.ts';
import type { Folder } from './folder.ts';
import type { CsvDropSettings } from './schema.ts';

/**
 * Moves what was read out of the drop folder, and with `pick: newest` the older files before it: left behind, one of
 * them would be the newest next time, and the roster would go back in time. A file that is not in the state that was
 * read stays where it is: it has news that nobody has seen. With `pick: all` the others stay with it, since what is left
 * of a set would be the next whole answer.
 */
export async function archive(
  folder: Folder,
  choice: Choice,
  settings: CsvDropSettings,
  target: string,
  context: SourceContext,
): Promise<void> {
  const states = new Map((await folder.list(() => true)).map((entry) => [entry.name, entry.state]));
  const stamp = context.clock
    .now()
    .toISOString()
    .replace(/[-:]|\.\d+/g, '');
  const together = settings.contents === 'table' && settings.pick === 'all';
  const entries = [...choice.older.toReversed(), ...choice.entries];
  const changed = entries.filter((entry) => states.get(entry.name) !== entry.state);
  for (const { name: file } of changed)
    context.log.info(
      { event: 'drop.kept', source: context.source, file },
      `${context.source}: ${together ? 'nothing is archived, a file' : 'a file is not archived, it'} changed after it was read`,
    );
  if (together && changed.length > 0) return;
  for (const entry of entries) {
    if (changed.includes(entry)) continue;
    const marker = settings.done === undefined ? undefined : `${entry.name}${settings.done}`;
    await folder.move(entry.name, target, freeNames(`${stamp}-${entry.name}`));
    // the marker goes last: a file without one is never read, a marker without its file means nothing
    if (marker !== undefined && states.has(marker)) await folder.move(marker, target, freeNames(`${stamp}-${marker}`));
  }
}

/**
 * The answer of a folder that holds a part of the last set, unchanged, and nothing else: an archiving was interrupted. It
 * is the last answer again, so that the run has nothing to do but archive the rest; its rows cannot be read any more.
 */
export function leftOver(
  folder: Folder,
  { left, archived }: Choice,
  context: SourceContext,
  rest: () => Promise<void>,
): Answer {
  const unreadable = async (): Promise<never> => {
    throw new Incomplete(
      `${folder.label}/${left[0]} is left of a set that has been taken over; ${archived[0]} is gone`,
      {
        remedy: 'move it into the archive too; or, to have the set read anew, put back what has been archived',
      },
    );
  };
  return {
    content: context.lastContent!,
    parts: [],
    scan: unreadable,
    decode: unreadable,
    accepted: rest,
    async close() {},
  };
}

/** The name itself, then numbered ones. */
function* freeNames(name: string): Generator<string> {
  yield name;
  for (let number = 2; number < 1000; number++) yield name.replace(/(\.[^.]*)?$/, `-${number}$1`);
}
