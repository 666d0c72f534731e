import { type CourseName, courseKey } from '../../../connector/target.ts';
import type { AccountDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { accountDocs } from './accounts.ts';

/** By account number, then by the names of the course. */
export async function* enrolments(
  m: Mongo,
): AsyncGenerator<{ account: string; id: string | null; email: string } & CourseName> {
  for await (const doc of accountDocs(m))
    for (const course of enrolmentsOf(doc)) yield { account: doc._id, id: doc.id ?? null, email: doc.email, ...course };
}

/** The courses of an account, sorted by the bytes of their names. */
export function enrolmentsOf(doc: AccountDoc): CourseName[] {
  return doc.enrolments
    .map(({ faculty, department, course }) => ({ faculty, department, course }))
    .sort((a, b) => Buffer.compare(Buffer.from(courseKey(a)), Buffer.from(courseKey(b))));
}
