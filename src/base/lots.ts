/** The same values in lots of `size`; the last may be smaller. */
export async function* lots<T>(values: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let lot: T[] = [];
  for await (const value of values) {
    lot.push(value);
    if (lot.length < size) continue;
    yield lot;
    lot = [];
  }
  if (lot.length) yield lot;
}
