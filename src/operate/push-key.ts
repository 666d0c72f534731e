import { makePushKey } from '../connector/push-key.ts';
import { openScreen } from './screen.ts';
import { exit } from './session.ts';

/** `push-key`: makes a key for senders and the line for the configuration. The key is kept nowhere. */
export async function printPushKey({ json }: { json: boolean }): Promise<number> {
  const screen = openScreen(json);
  const made = makePushKey();
  if (screen.human)
    screen.say(
      `The key, for whoever sends; it is shown once and kept nowhere:\n\n  ${made.key}\n\n` +
        `The line for the configuration, under the source:\n\n  key: { sha256: ${made.sha256} }`,
    );
  else screen.json(made);
  return exit.done;
}
