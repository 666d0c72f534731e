/** Loaded before a program (`--import`), so that its wall clock goes wrong by `ROSTERD_TEST_CLOCK_SHIFT` milliseconds. */

const shift = Number(process.env['ROSTERD_TEST_CLOCK_SHIFT'] ?? 0);
const RealDate = Date;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length ? args : [RealDate.now() + shift], newTarget) as Date,
  get: (target, key) => (key === 'now' ? () => RealDate.now() + shift : Reflect.get(target, key)),
});
