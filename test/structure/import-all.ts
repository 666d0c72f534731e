import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Imports the modules named on the command line, one after the other, and prints as JSON what each import did besides.
 * What a package of others does on import counts for the module that brought it in.
 */

/** Globals by which zod makes several copies of itself agree; nothing of ours can help them. */
const known = /^__zod_/;

const effects: string[] = [];
let current = '';

const write = process.stdout.write.bind(process.stdout);
for (const name of ['stdout', 'stderr'] as const)
  process[name].write = ((text: string | Uint8Array) => {
    effects.push(`${current}: printed ${JSON.stringify(Buffer.from(text).toString())} on ${name}`);
    return true;
  }) as typeof process.stdout.write;

interface State {
  handles: string[];
  listeners: string[];
  globals: string[];
  environment: string;
}

const look = (): State => ({
  handles: process.getActiveResourcesInfo(),
  listeners: process.eventNames().flatMap((name) => process.listeners(name as 'exit').map(() => String(name))),
  globals: Object.getOwnPropertyNames(globalThis).filter((name) => !known.test(name)),
  environment: JSON.stringify(process.env),
});

/** What is in the second list and not in the first, counting repeats. */
function added(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  return after.filter((one) => {
    const found = left.indexOf(one);
    if (found >= 0) left.splice(found, 1);
    return found < 0;
  });
}

let imported = 0;
for (current of process.argv.slice(2)) {
  const before = look();
  await import(pathToFileURL(resolve(current)).href);
  const after = look();
  imported += 1;
  for (const handle of added(before.handles, after.handles)) effects.push(`${current}: opened ${handle}`);
  for (const event of added(before.listeners, after.listeners)) effects.push(`${current}: listens to ${event}`);
  for (const name of added(before.globals, after.globals)) effects.push(`${current}: made the global ${name}`);
  if (after.environment !== before.environment) effects.push(`${current}: changed the environment`);
}
write(`${JSON.stringify({ imported, effects })}\n`);
// lets the process end in the proof that effects are seen; of the product nothing makes this
(globalThis as { rosterdEffect?: () => void }).rosterdEffect?.();
