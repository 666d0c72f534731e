import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document } from 'mongodb';
import { answerOf, Messages, type Request, requestId, requestOf, responseTo, statementsOf } from './wire.ts';

/** A request on its way, the `n`th with this name since the start or `forget`. */
export interface Command extends Request {
  n: number;
  /** The documents of an insert, or the statements of an update or a delete. */
  statements(): Document[];
}

/** A write with the answer that the server gave. */
export interface Write {
  name: string;
  collection: string;
  statements: Document[];
  answer: Document;
}

/**
 * What happens to a request. `cutBefore`: the connection ends and the server never hears of it. `loseAnswer`: the server
 * does it and answers, and the connection ends instead of the answer. `swallow`: nothing arrives and nothing ends. A
 * number: it is late by so many milliseconds. A promise: it waits for that.
 */
export type Fault = 'pass' | 'cutBefore' | 'loseAnswer' | 'swallow' | number | Promise<unknown>;

/** Which way bytes go: `request` to the server, `answer` to the client. */
export type Direction = 'request' | 'answer';

/** Stands between a driver and a server on loopback, and fails as networks do. */
export interface FaultyProxy {
  port: number;
  /** For a driver that shall talk to this server only, also when it is a member of a replica set. */
  uri: string;
  /** How many requests came, by the name of the command. */
  requests: Record<string, number>;
  /** How many of them were for work, not for keeping the connections. */
  roundTrips(): number;
  /** Counts from nothing again. */
  forget(): void;
  /** Connections that are open, those of the driver's monitors included. */
  connections(): number;
  /** Asked about every request from now on; null for no fault. */
  fault(of: ((command: Command) => Fault) | null): void;
  /** Told of every write that the server has answered; null for nobody. */
  observe(of: ((write: Write) => void) | null): void;
  /** The `k`th request from now on that fits has its answer lost. Resolves when it is. */
  loseAnswer(k?: number, fits?: (command: Command) => boolean): Promise<void>;
  /** Ends all connections now. */
  cut(): void;
  /** Ends a connection within a message, after so many more bytes of work in this direction. Resolves when it did. */
  cutAfter(bytes: number, direction: Direction): Promise<void>;
  /** Ends a connection before its request is passed on, the `k`th from now. Resolves when it did. */
  cutAtRequest(k: number, fits?: (command: Command) => boolean): Promise<void>;
  /** With true nobody listens on the port any more; connections that are there go on. */
  refuse(refuses: boolean): Promise<void>;
  /** Every message of both directions is late by so many milliseconds. */
  delay(ms: number): void;
  /** Bytes of these directions go nowhere while connections stay open, as behind a firewall that forgot them. */
  swallow(...directions: Direction[]): void;
  /** No faults any more. What was swallowed stays lost, so connections that wait for it are ended. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** Commands that change something. */
export const isWrite = ({ name }: Request): boolean => ['insert', 'update', 'delete', 'findAndModify'].includes(name);

/** Commands by which a driver looks after its connections. */
const upkeep = new Set(['hello', 'ismaster', 'isMaster', 'ping', 'endSessions', 'saslStart', 'saslContinue']);

/** True for a command by which a driver looks after its connections. */
export const isUpkeep = ({ name }: Request): boolean => upkeep.has(name);

interface Pair {
  client: Socket;
  server: Socket;
  /** Requests whose answers shall not arrive. */
  lost: Map<number, () => void>;
  /** Requests for the upkeep of a connection, as far as they are not answered. */
  upkeep: Set<number>;
  /** Writes that are not answered yet, for who observes them. */
  writes: Map<number, Omit<Write, 'answer'>>;
  swallowed: boolean;
}

interface Cut {
  left: number;
  done: () => void;
}

/** Starts a proxy to a server on loopback. */
export async function startProxy(target: number): Promise<FaultyProxy> {
  const pairs = new Set<Pair>();
  const silent = new Set<Direction>();
  const cuts: Partial<Record<Direction, Cut>> = {};
  const requests: Record<string, number> = {};
  /** Faults for single requests, before what `fault` says; each goes when it was used. */
  let singles: ((command: Command) => { fault: Fault; done: () => void } | null)[] = [];
  let faultOf: ((command: Command) => Fault) | null = null;
  let observer: ((write: Write) => void) | null = null;
  let late = 0;
  let listener: Server;

  const end = (pair: Pair): void => {
    // a reset, which is what a client sees of a machine that is gone
    if (!pair.client.destroyed) pair.client.resetAndDestroy();
    pair.server.destroy();
    pairs.delete(pair);
  };

  /** Sends on what may be sent; false when the connection is to end here. */
  const send = async (to: Socket, message: Buffer, direction: Direction, keeps: boolean): Promise<boolean> => {
    const cut = keeps ? undefined : cuts[direction];
    if (cut !== undefined && message.length > cut.left) {
      delete cuts[direction];
      if (cut.left > 0) await new Promise<void>((resolve) => to.write(message.subarray(0, cut.left), () => resolve()));
      // the bytes before the cut arrive: an end, where a reset could overtake them
      if (direction === 'answer') to.end();
      cut.done();
      return false;
    }
    if (cut !== undefined) cut.left -= message.length;
    if (!to.write(message)) await once(to, 'drain');
    return true;
  };

  const choose = (command: Command): { fault: Fault; done: () => void } => {
    for (const single of singles) {
      const found = single(command);
      if (found === null) continue;
      singles = singles.filter((other) => other !== single);
      return found;
    }
    return { fault: faultOf?.(command) ?? 'pass', done: () => {} };
  };

  const passRequests = async (pair: Pair): Promise<void> => {
    const messages = new Messages();
    for await (const chunk of pair.client as AsyncIterable<Buffer>) {
      for (const message of messages.add(chunk)) {
        const request = requestOf(message);
        requests[request.name] = (requests[request.name] ?? 0) + 1;
        const { fault, done } = choose({
          ...request,
          n: requests[request.name]!,
          statements: () => statementsOf(message),
        });
        if (fault === 'cutBefore') {
          end(pair);
          return done();
        }
        if (fault === 'swallow' || silent.has('request')) {
          pair.swallowed = true;
          continue;
        }
        if (fault === 'loseAnswer') pair.lost.set(requestId(message), done);
        if (observer && isWrite(request))
          pair.writes.set(requestId(message), {
            name: request.name,
            collection: request.collection!,
            statements: statementsOf(message),
          });
        if (fault instanceof Promise) await fault;
        const wait = late + (typeof fault === 'number' ? fault : 0);
        if (wait > 0) await sleep(wait);
        const keeps = isUpkeep(request);
        if (keeps) pair.upkeep.add(requestId(message));
        if (!(await send(pair.server, message, 'request', keeps))) return end(pair);
      }
    }
  };

  const passAnswers = async (pair: Pair): Promise<void> => {
    const messages = new Messages();
    for await (const chunk of pair.server as AsyncIterable<Buffer>) {
      for (const message of messages.add(chunk)) {
        const write = pair.writes.get(responseTo(message));
        if (write) {
          pair.writes.delete(responseTo(message));
          observer?.({ ...write, answer: answerOf(message) });
        }
        const lost = pair.lost.get(responseTo(message));
        if (lost !== undefined) {
          end(pair);
          return lost();
        }
        if (silent.has('answer')) {
          pair.swallowed = true;
          continue;
        }
        if (late > 0) await sleep(late);
        const keeps = pair.upkeep.delete(responseTo(message));
        if (!(await send(pair.client, message, 'answer', keeps))) {
          pair.server.destroy();
          pairs.delete(pair);
          return;
        }
      }
    }
  };

  const accept = (client: Socket): void => {
    const pair: Pair = {
      client,
      server: connect(target, '127.0.0.1'),
      lost: new Map(),
      upkeep: new Set(),
      writes: new Map(),
      swallowed: false,
    };
    pairs.add(pair);
    for (const socket of [pair.client, pair.server]) {
      socket.setNoDelay(true);
      // the loops below see it too
      socket.on('error', () => {});
    }
    // whatever ends one side, or one loop, ends the other one
    for (const pass of [passRequests, passAnswers])
      void pass(pair)
        .catch(() => {})
        .finally(() => {
          if (!pair.client.writableEnded) end(pair);
        });
  };

  const listen = async (port: number): Promise<number> => {
    listener = createServer(accept).listen(port, '127.0.0.1');
    await once(listener, 'listening');
    return (listener.address() as { port: number }).port;
  };

  const single = (k: number, fault: Fault, fits: (command: Command) => boolean): Promise<void> =>
    new Promise((done) => {
      let left = k;
      singles.push((command) => {
        if (!fits(command)) return null;
        left -= 1;
        return left > 0 ? null : { fault, done };
      });
    });

  const port = await listen(0);
  return {
    port,
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    requests,
    roundTrips: () => Object.entries(requests).reduce((sum, [name, count]) => sum + (upkeep.has(name) ? 0 : count), 0),
    forget() {
      for (const name of Object.keys(requests)) delete requests[name];
    },
    connections: () => pairs.size,
    fault(of) {
      faultOf = of;
    },
    observe(of) {
      observer = of;
    },
    loseAnswer: (k = 1, fits = isWrite) => single(k, 'loseAnswer', fits),
    cut() {
      for (const pair of pairs) end(pair);
    },
    cutAfter: (bytes, direction) =>
      new Promise((done) => {
        cuts[direction] = { left: bytes, done };
      }),
    cutAtRequest: (k, fits = (command) => !isUpkeep(command)) => single(k, 'cutBefore', fits),
    async refuse(refuses) {
      if (refuses && listener.listening) listener.close();
      if (!refuses && !listener.listening) await listen(port);
    },
    delay(ms) {
      late = ms;
    },
    swallow(...directions) {
      silent.clear();
      for (const direction of directions) silent.add(direction);
    },
    async heal() {
      faultOf = null;
      singles = [];
      late = 0;
      silent.clear();
      delete cuts.request;
      delete cuts.answer;
      for (const pair of pairs) if (pair.swallowed) end(pair);
      if (!listener.listening) await listen(port);
    },
    async stop() {
      if (listener.listening) listener.close();
      for (const pair of pairs) end(pair);
    },
  };
}
