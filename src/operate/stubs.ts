import { startStubs } from '../daemon.ts';
import { openScreen, table } from './screen.ts';
import { exit, guarded, stopSignals } from './session.ts';

/** `stubs`: the stand-ins of all targets, until a signal ends them. */
export async function serveStubs(options: { ports: Record<string, number>; json: boolean }): Promise<number> {
  return guarded(async () => {
    const stubs = await startStubs(options.ports);
    const screen = openScreen(options.json);
    if (screen.human)
      screen.say(
        `${table(
          ['target', 'url'],
          stubs.map((stub) => [stub.kind, stub.url]),
        )}\n\n  GET /_stub/state shows what arrived, POST /_stub/faults makes one misbehave; Ctrl-C ends them`,
      );
    else screen.json({ stubs: Object.fromEntries(stubs.map((stub) => [stub.kind, stub.url])) });
    const { signal, release } = stopSignals();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    release();
    await Promise.all(stubs.map((stub) => stub.close()));
    return exit.done;
  });
}
