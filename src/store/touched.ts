import type { Touched } from '../reconcile/evidence.ts';
import type { Store } from './port.ts';

const pageSize = 500;

/**
 * The people that a run looks at: those behind the difference and those that earlier runs left pending, or everybody.
 * `difference` is null when it is too large to list.
 */
export function touchedPeople(
  store: Store,
  source: string,
  number: number,
  difference: ReadonlySet<string> | null,
  pending: readonly string[],
  rulesChanged: boolean,
): Touched {
  const everybody = difference === null || rulesChanged;
  const own = difference && !pending.length ? difference : new Set([...(difference ?? []), ...pending]);
  return {
    own,
    everybody,
    pages: everybody ? all(store, source, number, [...own].sort()) : inPages([...own].sort()),
    given: rulesChanged ? givenBy(store, source) : inPages([]),
  };
}

async function* all(
  store: Store,
  source: string,
  number: number,
  own: readonly string[],
): AsyncGenerator<readonly string[]> {
  for (let after = ''; ; ) {
    const page = await store.rows.personPage(source, number, after, pageSize);
    if (!page.length) break;
    yield page;
    after = page.at(-1)!;
  }
  yield* inPages(own);
}

async function* inPages(keys: readonly string[]): AsyncGenerator<readonly string[]> {
  for (let at = 0; at < keys.length; at += pageSize) yield keys.slice(at, at + pageSize);
}

async function* givenBy(store: Store, source: string): AsyncGenerator<readonly string[]> {
  let page: string[] = [];
  for await (const { account, source: giver, enrolments } of store.roster.entries()) {
    const gave = account.status === 'active' && giver === source;
    if (!gave && !enrolments.some((one) => one.source === source)) continue;
    page.push(`n:${account.account}`);
    if (page.length < pageSize) continue;
    yield page;
    page = [];
  }
  if (page.length) yield page;
}
