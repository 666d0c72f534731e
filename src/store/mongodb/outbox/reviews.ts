import type { Review } from '../../port.ts';
import type { Mongo } from '../mongo.ts';

const idOf = ({ account, discrepancy }: Pick<Review, 'account' | 'discrepancy'>): string => `${account}/${discrepancy}`;

/** By account, then by discrepancy. */
export async function reviewsOf(m: Mongo): Promise<Review[]> {
  const docs = await m.attempt(() => m.reviews.find().sort({ _id: 1 }).toArray());
  return docs.map(({ account, discrepancy, at, note }) => ({ account, discrepancy, at: at.toISOString(), note }));
}

/** The same again replaces it. */
export async function putReview(m: Mongo, review: Review): Promise<void> {
  const { account, discrepancy, at, note } = review;
  const doc = { account, discrepancy, at: new Date(at), note };
  await m.attempt(() => m.reviews.replaceOne({ _id: idOf(review) }, doc, { upsert: true }));
}

/** Takes reviews back. */
export async function dropReviews(
  m: Mongo,
  reviews: readonly Pick<Review, 'account' | 'discrepancy'>[],
): Promise<void> {
  if (reviews.length) await m.attempt(() => m.reviews.deleteMany({ _id: { $in: reviews.map(idOf) } }));
}
