/** Loaded before a program (`--import`), so that a wait of just a minute, as between two attempts at a push, is over soon. */

const [minuteMs, soonMs] = [60_000, 200];
globalThis.setTimeout = new Proxy(globalThis.setTimeout, {
  apply: (target, self, [work, ms, ...more]) =>
    Reflect.apply(target, self, [work, ms === minuteMs ? soonMs : ms, ...more]),
});
