import type { DeliveryItem } from '../connector/target.ts';
import { subjectOf } from './items.ts';

/**
 * What becomes of two items of one subject that have both not been delivered. An item is a state to reach, so that the
 * later one may stand for both; it may not where a target would then be told of somebody whom it never met, or be told
 * less. Whatever takes something away is sent only where it was planned, and never earlier.
 *
 * `into`: one delivery, in the place of the earlier. `void`: the earlier is not worth sending any more. Null: both are sent.
 */
export type Union = { into: DeliveryItem } | 'void' | null;

/** See `Union`. Both are of one subject, `later` behind `earlier` in the order of queueing. */
export function unite(earlier: DeliveryItem, later: DeliveryItem): Union {
  const [first, second] = [earlier.type, later.type];
  if (first === second && first !== 'account.update') return 'void';
  // removed and given back: nobody lost anything meanwhile; but in another role it is another enrolment, beside the old one
  if (first === 'enrolment.remove' && second === 'enrolment.add')
    return earlier.account?.kind === later.account?.kind ? 'void' : null;
  if (first === 'account.disable' && second === 'account.enable') return 'void';
  if (first === 'account.enable' && second === 'account.disable') return 'void';
  if (first === 'course.archive' && second === 'course.create') return 'void';
  // of somebody whom the target never met, coming back is nothing new
  const adds =
    second === 'account.update' ? takesLater(first) : first === 'account.create' && second === 'account.enable';
  if (!adds) return null;
  // each says what the roles were at its own moment
  if (earlier.enrolments || later.enrolments) return null;
  return { into: withLater(earlier, later) };
}

function takesLater(type: DeliveryItem['type']): boolean {
  return type === 'account.create' || type === 'account.enable' || type === 'account.update';
}

function withLater(earlier: DeliveryItem, later: DeliveryItem): DeliveryItem {
  const before = { ...later.before, ...earlier.before };
  return {
    ...earlier,
    account: later.account,
    changed: [...new Set([...earlier.changed, ...later.changed])].sort(),
    before: earlier.type === 'account.create' ? null : before,
    // an address of before the later change is nobody's business any more
    emailConfirmed: later.changed.includes('email') ? later.emailConfirmed : earlier.emailConfirmed,
  };
}

/** A later item of the same person, with where it stands. */
export interface Later {
  item: string;
  delivery: DeliveryItem;
  /** True: the target has it. */
  sent: boolean;
  /** True: it is still to be sent, but was on its way once, and the target may have it: an answer can be lost. */
  tried: boolean;
}

/**
 * What is sent when an item is sent once more although later ones of its person may have been sent since: never an older
 * state than the target has. Either the delivery with the newest facts, or the item that made it void.
 */
export function renewed(
  delivery: DeliveryItem,
  later: readonly Later[],
): { delivery: DeliveryItem } | { void: string } {
  const subject = subjectOf(delivery);
  const last = later.filter((one) => subjectOf(one.delivery) === subject).at(-1);
  // What is still to come brings its own facts. Where the target may have them already, older ones would make somebody
  // active for a moment who is disabled there; newer ones come a little before the item that brings them.
  const accounts = later.filter((one) => !one.delivery.course);
  const known = accounts.filter((one) => one.sent).at(-1);
  const facts = accounts.filter((one) => one.sent || one.tried).at(-1);
  if (delivery.course) {
    if (last && !isInAnotherRole(delivery, last)) return { void: last.item };
    return { delivery: withFactsOf(delivery, facts) };
  }
  const { type } = delivery;
  // The facts of an account are whole in each of its items; what an item does beside, only its own kind does. An update
  // that is still to come becomes one with this one, and what both changed is told then.
  const does = (one: Later): boolean =>
    type === 'account.enable' || type === 'account.disable'
      ? one.delivery.type === 'account.enable' || one.delivery.type === 'account.disable'
      : type === 'account.update' && one.sent && one.delivery.type === 'account.update' && !delivery.enrolments;
  const same = later.filter(does).at(-1);
  if (same) return { void: same.item };
  // Targets make somebody active of whom they are told that they come or come back, whatever the facts say beside.
  const activates = type === 'account.create' || type === 'account.enable';
  if (activates && known?.delivery.account?.status === 'disabled') return { void: known.item };
  return { delivery: withFactsOf(delivery, activates ? known : facts) };
}

/** True for an enrolment that is still to be given in another role than this one, which is taken: both are sent. */
function isInAnotherRole(delivery: DeliveryItem, { delivery: other, sent }: Later): boolean {
  return (
    !sent &&
    delivery.type === 'enrolment.remove' &&
    other.type === 'enrolment.add' &&
    delivery.account?.kind !== other.account?.kind
  );
}

/** The facts that the target has, or may have, of a person by now. An enrolment that is taken is the one that was given, in its role. */
function withFactsOf(delivery: DeliveryItem, known: Later | undefined): DeliveryItem {
  const account = known?.delivery.account;
  if (!account || !delivery.account) return delivery;
  const kind = delivery.type === 'enrolment.remove' ? delivery.account.kind : account.kind;
  return { ...delivery, account: { ...account, kind } };
}
