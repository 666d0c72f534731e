import type { AccountFacts } from '../../../connector/target.ts';
import type { AccountDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

const pageSize = 1000;

/** By account number, page by page: a cursor that a slow reader keeps open would be closed under it. */
export async function* accountDocs(m: Mongo): AsyncGenerator<AccountDoc> {
  for (let after = ''; ; ) {
    const page = await m.attempt(() =>
      m.accounts
        .find({ _id: { $gt: after } })
        .sort({ _id: 1 })
        .limit(pageSize)
        .batchSize(pageSize)
        .toArray(),
    );
    if (!page.length) return;
    yield* page;
    after = page.at(-1)!._id;
  }
}

/** Every account as the port has it. */
export async function* accounts(m: Mongo): AsyncGenerator<AccountFacts> {
  for await (const doc of accountDocs(m)) yield factsOf(doc);
}

/** What an account's document says of the person. */
export function factsOf(doc: AccountDoc): AccountFacts {
  const { _id, id, alias, email, firstName, lastName, kind, year, status, attributes } = doc;
  const facts: AccountFacts = {
    account: _id,
    id: id ?? null,
    email,
    firstName,
    lastName,
    kind,
    year,
    status,
    attributes,
  };
  return alias === undefined ? facts : { ...facts, alias };
}
