import { hash } from 'node:crypto';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { type HttpAnswer, retryAfterMs } from '../../src/connector/http.ts';
import type { DeliveryItem, ItemResult, TargetContext } from '../../src/connector/target.ts';
import { judge, type Verdict } from './answer.ts';
import { type Look, lookAt } from './confirm.ts';
import type { Login } from './login.ts';
import { emptyMemory, type Transmission } from './memory.ts';
import { type AcceptedType, removes } from './operations.ts';
import { belowGateway, type Credentials, type Draft, pathOf, requestFor } from './request.ts';
import type { PeoplesoftSettings } from './schema.ts';
import type { Confirm, Operation, Shape } from './shapes.ts';
import { fillPath, todayOf, type Values, valuesOf } from './template.ts';

/**
 * This many items with errors of their own, or turned away, may be their own fault; more at once are the server's or the
 * configuration's, whatever a probe says.
 */
const mostStruck = 3;

/** Sends items and reads back what became of them. */
export interface Sender {
  /** True once a login was accepted: somebody got an answer that only those get who are let in. */
  readonly admitted: boolean;
  /** Throws `Unavailable` without an answer, `Denied` and `Misconfigured` when nothing more should be sent. */
  send(item: DeliveryItem): Promise<ItemResult>;
  /**
   * An item that was not taken now. It counts as an attempt only where others were answered meanwhile: a server that is away
   * for a night must not have everybody fail for good.
   */
  putOff(item: string, words: string, delay?: { delayMs?: number }): ItemResult;
  /** The answer of the probe path, and its verdict. */
  probe(): Promise<{ answer: HttpAnswer; verdict: Verdict }>;
}

/** A sender over an open login. */
export function openSender(settings: PeoplesoftSettings, context: TargetContext, login: Login): Sender {
  const { clock } = context;
  const memory = context.keep(emptyMemory);

  const opened = memory.answered;
  let admitted = false;
  /** Why the login was refused: with each further one the account comes nearer to being locked. */
  let refusal: Denied | null = null;
  /**
   * Items that were turned away in place of an answer, in this delivery. Those of earlier ones may have left the queue, which
   * nobody says, and would count against others for ever; those that have not are turned away in this one as well.
   */
  const outside = new Set<string>();

  function strikeOf(item: string): { count: number; before: number } {
    const strike = memory.strikes.get(item) ?? { count: 0, before: memory.answered };
    memory.strikes.set(item, strike);
    return strike;
  }

  function putOff(item: string, words: string, delay: { delayMs?: number } = {}): ItemResult {
    const alone = strikeOf(item).before === memory.answered;
    return { item, outcome: 'retry', answer: words, ...delay, ...(alone && { attempted: false }) };
  }

  /** Sends a request, and once more if its credentials are refused and there are new ones. */
  async function exchange(draft: Draft, who: Credentials, again: (who: Credentials) => Draft): Promise<HttpAnswer> {
    if (refusal) throw refusal;
    const answer = await context.http.send(draft);
    if (answer.status !== 401 || !login.renew(who)) return answer;
    return context.http.send(again(await login.credentials()));
  }

  async function call(shape: Shape, values: Values): Promise<HttpAnswer | { impossible: string }> {
    const made = (as: Credentials) => requestFor(shape, values, settings, as);
    const who = await login.credentials();
    const first = made(who);
    if ('impossible' in first) return first;
    return exchange(first, who, (as) => made(as) as Draft);
  }

  /** What an answer says of the login, whatever it is to. */
  function loginBy(verdict: Verdict, what: string): void {
    if (verdict.meaning === 'done' || verdict.meaning === 'refused') admitted = true;
    else if (verdict.meaning === 'denied' && verdict.login) refusal ??= stopping(verdict, what) as Denied;
  }

  async function look(confirm: Confirm, values: Values): Promise<Pick<Look, 'shows' | 'words'>> {
    const answer = await call(confirm.read, values);
    if ('impossible' in answer) return { shows: 'other', words: answer.impossible };
    const seen = lookAt(answer, confirm, values, settings.success);
    const what = `the read-back ${pathOf(confirm.read, settings)}`;
    loginBy(seen.verdict, what);
    if (seen.shows === 'nothing') throw stopping(seen.verdict, what);
    return seen;
  }

  /** After the request, now or earlier: sent only once the read-back shows it. */
  async function confirmed(item: string, confirm: Confirm, values: Values): Promise<ItemResult> {
    const transmission = memory.transmitted.get(item)!;
    const { since, words } = transmission;
    const seen = await look(confirm, values);
    if (seen.shows === 'state') {
      memory.transmitted.delete(item);
      return { item, outcome: 'sent', answer: `${words}; confirmed: ${seen.words}` };
    }
    transmission.lookedAt = clock.monotonic();
    const waited = transmission.lookedAt - since;
    if (waited < confirm.within)
      return {
        // a look is no attempt: `within` says how long there are more
        ...{ item, outcome: 'retry', delayMs: confirm.every, attempted: false, taken: true },
        answer: `transmitted, not confirmed yet (${words}): ${seen.words}`,
      };
    memory.transmitted.delete(item);
    return {
      ...{ item, outcome: 'failed' },
      answer: `transmitted, but not confirmed after ${Math.round(waited / 1000)} s (${words}): ${seen.words}; look for the transaction in the Service Operations Monitor`,
    };
  }

  /** What a look tells before anything is sent; null: the request has to be sent. */
  async function known(item: string, confirm: Confirm, values: Values): Promise<ItemResult | null> {
    const transmission = memory.transmitted.get(item);
    if (transmission) {
      const lost = isLost(transmission, confirm);
      const result = await confirmed(item, confirm, values);
      return lost && result.outcome === 'failed' ? null : result;
    }
    if (!confirm.lookFirst) return null;
    const seen = await look(confirm, values);
    if (seen.shows !== 'state') return null;
    return { item, outcome: 'sent', answer: `nothing was sent, it is so already: ${seen.words}` };
  }

  /**
   * True when no look was answered for longer than a message has altogether. The item may have left the queue meanwhile and
   * be back because a person wants it sent: to fail it with nothing sent would be untrue. To send twice what is merely slow
   * would be worse, because the second message could undo a later change; so nothing is lost before `within` is over. And only
   * once: where deliveries are that far apart, an item would never fail.
   */
  function isLost({ lookedAt, again }: Transmission, { within }: Confirm): boolean {
    return !again && clock.monotonic() - lookedAt > within;
  }

  async function probe(): Promise<{ answer: HttpAnswer; verdict: Verdict }> {
    const filled = fillPath(belowGateway(settings.probe, settings.gateway), {
      node: settings.node,
      today: todayOf(clock.now(), settings.today),
    });
    if ('unusable' in filled)
      throw new Misconfigured(`the path of the probe cannot hold {${filled.unusable}}: it is about nobody`, {
        remedy: 'use {node} and {today} only in probe',
      });
    const draft = ({ authorization }: Credentials): Draft => ({
      ...{ method: 'GET', path: filled.path, headers: { authorization, accept: 'application/json' } },
    });
    const who = await login.credentials();
    const answer = await exchange(draft(who), who, draft);
    const verdict = judge(answer, settings.success);
    // of a login that others were let in with, it says what this one operation is not permitted
    if (!admitted) loginBy(verdict, `GET ${settings.probe}`);
    return { answer, verdict };
  }

  /** True when the target is there for others, so that an error is this item's own. */
  async function faresWell(before: number): Promise<boolean> {
    if (memory.answered > before) return true;
    if (struckSince(before) > mostStruck) return false;
    try {
      return (await probe()).verdict.meaning !== 'later';
    } catch (error) {
      if (error instanceof Unavailable) return false;
      throw error;
    }
  }

  /** How many are in trouble together; those from before the last answer may have left the queue. */
  function struckSince(before: number): number {
    let together = 0;
    for (const strike of memory.strikes.values()) {
      if (strike.before === before) together += 1;
      if (together > mostStruck) break;
    }
    return together;
  }

  /** An error that may pass, but not for ever: nobody would notice an item that is tried again until the end of days. */
  async function struck(item: string, words: string, delayMs: { delayMs?: number }): Promise<ItemResult> {
    const strike = strikeOf(item);
    strike.count += 1;
    if (strike.count < settings.silentAnswers || !(await faresWell(strike.before))) return putOff(item, words, delayMs);
    return {
      ...{ item, outcome: 'failed' },
      answer: `${words}; the same ${strike.count} times, while the target answers: look for the transaction in the Service Operations Monitor or the logs of the application server`,
    };
  }

  /** True when the way is open for others, so that who is turned away is so alone. */
  async function letsIn(): Promise<boolean> {
    if (memory.answered > opened) return true;
    try {
      return ['done', 'refused'].includes((await probe()).verdict.meaning);
    } catch {
      return false;
    }
  }

  /**
   * A page, a 403 or a 404 in place of an answer. Mostly it is to everybody, and nothing more is sent: throws. But one
   * request that a firewall takes for an attack must not keep all others waiting for ever.
   */
  async function turnedAway(item: string, why: Denied | Misconfigured): Promise<ItemResult> {
    outside.add(item);
    if (outside.size > mostStruck || !(await letsIn())) throw why;
    return { item, outcome: 'retry', answer: why.message };
  }

  async function attempt({ item, ...change }: DeliveryItem): Promise<ItemResult> {
    const type = change.type as AcceptedType;
    const operation = settings.operations[type];
    const { confirm } = operation;
    const said = confirm ? hash('sha256', JSON.stringify([change, operation]), 'hex') : '';
    // became one with a later change meanwhile: that one was never transmitted
    if (memory.transmitted.get(item)?.what !== said) memory.transmitted.delete(item);
    const again = memory.transmitted.has(item);
    const values = valuesOf({ item, ...change }, settings.node, todayOf(clock.now(), settings.today));
    const told = confirm && (await known(item, confirm, values));
    if (told) return told;
    const answer = await call(operation, values);
    if ('impossible' in answer) return { item, outcome: 'failed', answer: answer.impossible };
    const verdict = judge(answer, settings.success, { xml: operation.shape === 'ci-soap', removes: removes(type) });
    const { words } = verdict;
    // the path as it is written in the configuration: filled, it names somebody
    const what = `${type}: ${pathOf(operation, settings)}`;
    loginBy(verdict, what);
    if (verdict.meaning === 'later') {
      const wait = retryAfterMs(answer.headers, clock.now());
      const delayMs = wait === undefined ? {} : { delayMs: wait };
      if (verdict.own) return struck(item, words, delayMs);
      return putOff(item, words, delayMs);
    }
    if (verdict.meaning === 'denied' || verdict.meaning === 'missing') {
      const why = stopping(verdict, what);
      // one login too many locks an account
      if (verdict.meaning === 'denied' && verdict.login) throw why;
      return turnedAway(item, why);
    }
    memory.answered += 1;
    outOfTrouble(item);
    if (verdict.meaning === 'refused') {
      const already = operation.already !== undefined && new RegExp(operation.already).test(verdict.whole);
      if (!already) return { item, outcome: 'failed', answer: words };
    }
    if (!confirm) return { item, outcome: 'sent', answer: transmittedOnly(operation) + words };
    const since = clock.monotonic();
    memory.transmitted.set(item, { since, lookedAt: since, words, what: said, again });
    return confirmed(item, confirm, values);
  }

  function outOfTrouble(item: string): void {
    memory.strikes.delete(item);
    outside.delete(item);
  }

  return {
    get admitted() {
      return admitted;
    },
    probe,
    putOff,
    async send(item) {
      const result = await attempt(item);
      if (result.outcome !== 'retry') outOfTrouble(item.item);
      return result;
    },
  };
}

function transmittedOnly({ async: is }: Operation): string {
  return is ? 'transmitted, not confirmed: ' : '';
}

/** What ends the whole batch: credentials, or an operation that is not there. */
export function stopping(verdict: Verdict, what: string): Denied | Misconfigured {
  if (verdict.meaning === 'missing')
    return new Misconfigured(`${what}: ${verdict.words}`, {
      remedy:
        'check gateway, node and operations of the target; where a 404 without an error says that who is taken away is gone already, put it into success.status',
    });
  return new Denied(`${what}: ${verdict.words}`, {
    remedy: 'check auth, and that the OPRID has permission for this service operation',
  });
}
