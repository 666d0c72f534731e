import { Misconfigured } from '../base/errors.ts';
import { keyPattern } from '../configure/integration.ts';
import { makePushKey } from '../connector/push-key.ts';
import { openScreen } from './screen.ts';
import { exit, guarded } from './session.ts';

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

/** `integration-key NAME`: makes a secret for a caller of the integration API and the lines for the configuration. */
export function printIntegrationKey(name: string, { json, write }: { json: boolean; write: boolean }): Promise<number> {
  return guarded(async () => {
    if (!keyPattern.test(name))
      throw new Misconfigured(
        'the name of a key has small letters, digits and "-", and starts with a letter or a digit',
      );
    const screen = openScreen(json);
    const { key: secret, sha256 } = makePushKey();
    const may = write ? ['read', 'write'] : ['read'];
    if (screen.human)
      screen.say(
        `For the caller; the secret is shown once and kept nowhere:\n\n  X-Rosterd-API-Key: ${name}\n  X-Rosterd-API-Secret: ${secret}\n\n` +
          `The lines for the configuration, under integration:\n\n  keys:\n    - key: ${name}\n` +
          `      secret: { sha256: ${sha256} }\n      may: [${may.join(', ')}]`,
      );
    else screen.json({ key: name, secret, sha256, may });
    return exit.done;
  });
}
