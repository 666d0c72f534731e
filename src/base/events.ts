/**
 * Over 400 lines, because one table is easier to look through than pieces of it.
 *
 * Every event that the log knows, and what a person makes of it. The README's table is this registry, and a log call can
 * name nothing else. Levels: `error`, a person must act; `warn`, a person should look soon; `info`, an outcome; `debug`,
 * for whoever looks for something.
 */

/** Levels of events, the loudest first. */
export const levels = ['error', 'warn', 'info', 'debug'] as const;
export type Level = (typeof levels)[number];

/**
 * What a field may hold. The sink keeps to it: a value of another form is not written, whatever its type says.
 * `name` is a word of the configuration or of the code, without spaces; `text` is scrubbed and cut.
 */
interface Forms {
  name: string;
  names: readonly string[];
  count: number;
  counts: Readonly<Partial<Record<string, number>>>;
  flag: boolean;
  time: string;
  text: string;
  failure: { kind: string; message: string };
  exception: unknown;
}

/** How the value of a field looks. */
export type Form = keyof Forms;

/** Every field that a line may have beside `level`, `time`, `event` and `msg`. Nobody's data has one. */
export const fields = {
  run: 'name',
  source: 'name',
  target: 'name',
  trigger: 'name',
  dryRun: 'flag',
  snapshot: 'name',
  digest: 'name',
  records: 'count',
  quarantined: 'count',
  conflicts: 'count',
  blocked: 'count',
  changes: 'counts',
  held: 'names',
  guards: 'names',
  durationMs: 'count',
  lastGood: 'time',
  sent: 'count',
  failed: 'count',
  items: 'count',
  outcome: 'name',
  discrepancies: 'count',
  paused: 'flag',
  attempt: 'count',
  error: 'failure',
  err: 'exception',
  file: 'text',
  modified: 'time',
  lastModified: 'time',
  address: 'text',
  lastAddress: 'text',
  import: 'count',
  messages: 'count',
  answer: 'name',
  key: 'name',
  count: 'count',
  full: 'flag',
  accepted: 'count',
  refused: 'count',
  repeated: 'flag',
  status: 'count',
  url: 'text',
  pid: 'count',
  who: 'text',
  was: 'name',
  reason: 'text',
  left: 'text',
  quietMs: 'count',
  live: 'names',
  restart: 'names',
  due: 'time',
  dues: 'count',
  from: 'time',
  to: 'time',
  failures: 'count',
  retryAt: 'time',
  notBefore: 'time',
} as const satisfies Record<string, Form>;

/** What the registry says of an event. */
interface Declared {
  /** One, or several where the outcome decides. */
  levels: readonly Level[];
  meaning: string;
  remedy: string | null;
  fields: readonly (keyof typeof fields)[];
}

const outcome = [
  'run',
  'source',
  'trigger',
  'dryRun',
  'snapshot',
  'records',
  'quarantined',
  'changes',
  'durationMs',
] as const;

/** The registry. */
export const events = {
  'run.applied': {
    levels: ['info'],
    meaning: 'a complete answer became a snapshot, and its changes are in the roster and on their way',
    remedy: null,
    fields: outcome,
  },
  'run.unchanged': {
    levels: ['info'],
    meaning: 'a complete answer that changes nothing',
    remedy: null,
    fields: outcome,
  },
  'run.planned': {
    levels: ['info'],
    meaning: 'a dry run: the plan is stored, nothing is changed',
    remedy: null,
    fields: outcome,
  },
  'run.skipped': {
    levels: ['info'],
    meaning: 'there was nothing new to read',
    remedy: null,
    fields: ['run', 'source', 'trigger', 'dryRun', 'durationMs'],
  },
  'run.not-begun': {
    levels: ['info'],
    meaning: 'a sync was stopped before the turn of a source came, or before all that was pushed to it was run',
    remedy: null,
    fields: ['source'],
  },
  'run.held': {
    levels: ['warn'],
    meaning: 'a limit was reached: removals wait for a person, everything else is applied',
    remedy: '`rosterd show RUN`, then `approve` or `reject`, or correct the source: a newer snapshot replaces the plan',
    fields: [...outcome, 'digest', 'held', 'guards', 'lastGood'],
  },
  'run.failed': {
    levels: ['info', 'warn', 'error'],
    meaning:
      'no snapshot; what was true stays. `warn`: the next run may bring it (`Incomplete`, `Unavailable`); `error`: it will not (`Misconfigured`, `Denied`, `Rejected`, `Unexpected`); `info`: rosterd was stopped',
    remedy: 'what `error.message` says; `lastGood` is when this source was last complete and applied',
    fields: ['run', 'source', 'trigger', 'dryRun', 'durationMs', 'error', 'err', 'lastGood'],
  },
  'run.doubt': {
    levels: ['warn'],
    meaning:
      'rows could not be read, people are in conflict, or are in a department that is only reported; nothing is taken from anybody over them',
    remedy: '`rosterd show RUN` names rows and reasons; correct them in the source',
    fields: ['run', 'source', 'quarantined', 'conflicts', 'blocked'],
  },
  'run.interrupted': {
    levels: ['warn'],
    meaning: 'a plan that counts already could not be applied to its end; nothing is lost',
    remedy: 'none, the next run finishes it first; when it comes again, what `error.message` says',
    fields: ['run', 'source', 'error', 'err'],
  },
  'run.resumed': {
    levels: ['warn'],
    meaning: 'a plan that an earlier process left half applied is being finished',
    remedy: 'look why that process ended',
    fields: ['run', 'source'],
  },
  'run.approved': {
    levels: ['info'],
    meaning: 'a person let the held part of a plan pass',
    remedy: null,
    fields: ['run', 'source', 'digest'],
  },
  'run.rejected': {
    levels: ['info'],
    meaning: 'a person put the held part of a plan away',
    remedy: null,
    fields: ['run', 'source', 'digest'],
  },
  'source.unnamed': {
    levels: ['warn'],
    meaning:
      'the store has rows of a source that the configuration does not name: it was renamed or taken out. They still count, so nobody in them is disabled or taken out of a course; `lastGood` is its last snapshot',
    remedy:
      'name it again as it was; one that is gone for good and in conflict: with `enabled: false`, `role: directory`',
    fields: ['source', 'lastGood'],
  },
  'target.unnamed': {
    levels: ['warn'],
    meaning:
      'the outbox has items of a target that the configuration does not name: it was renamed or taken out. `items` are queued, failed or in hand, and are not delivered',
    remedy: 'name the target again as it was, or they stay; `rosterd queue fill` brings a new target the whole roster',
    fields: ['target', 'items'],
  },
  'target.moved': {
    levels: ['error'],
    meaning:
      'a target points to another platform (`address`) than the one that has what was sent to it (`lastAddress`). Nothing is sent, its changes wait in the queue',
    remedy:
      'put the address back, or `rosterd queue moved TARGET same` (only the address is new) or `new` (a new platform)',
    fields: ['target', 'address', 'lastAddress'],
  },
  'pull.retry': {
    levels: ['info'],
    meaning: 'an attempt to read a source failed and is repeated',
    remedy: null,
    fields: ['source', 'attempt', 'error'],
  },
  'pull.archive': {
    levels: ['warn'],
    meaning: 'the snapshot counts, but its file could not be archived, or what the next pull builds on not be kept',
    remedy: 'check the archive folder and `stateDir`: room, rights',
    fields: ['source', 'run', 'error'],
  },
  'drop.older': {
    levels: ['warn'],
    meaning: 'the newest file is older than the one that was read last: somebody took that one away',
    remedy: 'look into the drop folder',
    fields: ['source', 'file', 'modified', 'lastModified'],
  },
  'drop.kept': {
    levels: ['info'],
    meaning: 'a file was not archived, because it changed after it was read',
    remedy: null,
    fields: ['source', 'file'],
  },
  'http.unchanged': {
    levels: ['debug'],
    meaning: 'a server said that its answer is the one that is known (304)',
    remedy: null,
    fields: ['source'],
  },
  'ldap.disabled': {
    levels: ['info'],
    meaning: 'entries of disabled accounts were left out, by `disabledAccounts`',
    remedy: null,
    fields: ['source', 'count'],
  },
  'ldap.reading': {
    levels: ['info'],
    meaning: 'whether a directory is read in full or only its changes, and why',
    remedy: null,
    fields: ['source', 'full', 'reason'],
  },
  'delivery.done': {
    levels: ['info', 'warn'],
    meaning: 'the queue of a target is empty. `warn`: the target refused some items for good',
    remedy: 'of refused items: correct them at the target or in the source; the target’s words are kept with each',
    fields: ['target', 'sent', 'failed', 'durationMs'],
  },
  'delivery.stopped': {
    levels: ['info', 'warn', 'error'],
    meaning:
      'delivery to a target ended before its queue was empty; the rest stays queued. `warn`: the next one tries again (`Unavailable`); `error`: a person must act (`Denied`, `Misconfigured`, `Unexpected`); `info`: rosterd was stopped, or single people wait (`Waiting`), and are tried again in time',
    remedy: 'what `error.message` says',
    fields: ['target', 'sent', 'failed', 'durationMs', 'error', 'err'],
  },
  'delivery.retry': {
    levels: ['info'],
    meaning: 'a target did not take a batch, which is repeated',
    remedy: null,
    fields: ['target', 'attempt', 'error'],
  },
  'delivery.paused': {
    levels: ['info'],
    meaning: 'nothing was sent to a target, because a person has paused it',
    remedy: null,
    fields: ['target'],
  },
  'delivery.discrepancy': {
    levels: ['warn'],
    meaning: 'items of people about whom the sources disagree are held back',
    remedy: 'correct the source, or look at them with `rosterd queue discrepancies` and let them pass',
    fields: ['target', 'items'],
  },
  'queue.replayed': {
    levels: ['info'],
    meaning: 'a person or another system had items queued again',
    remedy: null,
    fields: ['items'],
  },
  'queue.acknowledged': {
    levels: ['info'],
    meaning: 'an answer in place of a target’s was taken from outside',
    remedy: null,
    fields: ['target', 'outcome'],
  },
  'queue.filled': {
    levels: ['info'],
    meaning: 'the whole roster was queued for a target, because a person asked for it',
    remedy: null,
    fields: ['target', 'items'],
  },
  'queue.moved': {
    levels: ['info'],
    meaning:
      'a person has said of a target that points elsewhere: it is the `same` platform under a new address, or a `new` one, for which `items` are queued in place of what waited',
    remedy: null,
    fields: ['target', 'outcome', 'items'],
  },
  'queue.paused': {
    levels: ['info'],
    meaning: 'a person has stopped the sending to a target, or had it go on',
    remedy: null,
    fields: ['target', 'paused'],
  },
  'queue.reviewed': {
    levels: ['info'],
    meaning: 'a person has looked at discrepancies and lets the items of these people pass',
    remedy: null,
    fields: ['discrepancies'],
  },
  'canvas.message': {
    levels: ['warn'],
    meaning: 'Canvas said something of an import that belongs to no item',
    remedy: 'look at that SIS import in Canvas',
    fields: ['target', 'import', 'messages'],
  },
  'canvas.whole': {
    levels: ['info', 'warn'],
    meaning:
      'Canvas applies the whole roster in place of what differs. `info`: rosterd asked for it, for the reason given; `warn`: a threshold of the target was exceeded, nothing was removed but what changes name',
    remedy: 'of a threshold: see whether the roster is right; the next import begins the data set anew',
    fields: ['target', 'import', 'reason'],
  },
  'salesforce.login': {
    levels: ['debug'],
    meaning: 'a session with Salesforce was opened',
    remedy: null,
    fields: ['target'],
  },
  'retention.failed': {
    levels: ['warn'],
    meaning: 'old history could not be forgotten; no harm but the room that it takes',
    remedy: 'what `error.message` says',
    fields: ['source', 'error', 'err'],
  },
  'push.received': {
    levels: ['info'],
    meaning: 'a pushed body is on the disk and will be run under the id that was answered',
    remedy: null,
    fields: ['source', 'run', 'answer', 'accepted', 'refused', 'repeated'],
  },
  'push.refused': {
    levels: ['warn'],
    meaning: 'a pushed body was refused as a whole; its sender was told why',
    remedy: 'with the sender: status 401 the key, 4xx what the answer said, 5xx look at the lines before',
    fields: ['source', 'status'],
  },
  'push.bug': {
    levels: ['error'],
    meaning: 'a fault of rosterd itself while a body was taken; nothing of the body counts',
    remedy: 'report it with this line',
    fields: ['err'],
  },
  'integration.decided': {
    levels: ['info'],
    meaning: 'a caller of the integration API had an item queued again, or answered in place of the target',
    remedy: null,
    fields: ['key', 'target', 'outcome'],
  },
  'integration.refused': {
    levels: ['warn'],
    meaning: 'a request to the integration API was refused; its caller was told why',
    remedy:
      'with the caller: status 401 key or secret, 429 its rate, 4xx what the answer said, 5xx look at the lines before',
    fields: ['key', 'status'],
  },
  'integration.bug': {
    levels: ['error'],
    meaning: 'a fault of rosterd itself while a request to the integration API was answered',
    remedy: 'report it with this line',
    fields: ['err'],
  },
  'daemon.deaf': {
    levels: ['warn'],
    meaning: 'there are push sources, and nothing listens for them',
    remedy: 'set listen, or disable the source',
    fields: [],
  },
  'daemon.started': {
    levels: ['info'],
    meaning: 'the service runs',
    remedy: null,
    fields: ['url', 'pid'],
  },
  'daemon.stopping': {
    levels: ['info'],
    meaning: 'the service stops after the batch in hand',
    remedy: null,
    fields: [],
  },
  'daemon.stopped': {
    levels: ['info'],
    meaning: 'the service has stopped',
    remedy: null,
    fields: [],
  },
  'service.starting': {
    levels: ['info'],
    meaning: 'the service begins',
    remedy: null,
    fields: ['was'],
  },
  'service.connecting': {
    levels: ['info'],
    meaning: 'store, listener and socket are being opened',
    remedy: null,
    fields: ['was'],
  },
  'service.running': {
    levels: ['info'],
    meaning: 'everything is connected; sources run by their schedules',
    remedy: null,
    fields: ['was'],
  },
  'service.stopping': {
    levels: ['info'],
    meaning: 'nothing begins any more; what is at work finishes the batch in hand',
    remedy: null,
    fields: ['was', 'reason'],
  },
  'service.stopped': {
    levels: ['info', 'error'],
    meaning: 'the service has ended. `error`: something did not end within `service.stopWithin` and was left behind',
    remedy: 'nothing is lost; look why it took so long',
    fields: ['was', 'left'],
  },
  'service.failed': {
    levels: ['error'],
    meaning: 'the service could not begin or go on',
    remedy: 'what `error.message` says',
    fields: ['was', 'error', 'err'],
  },
  'service.stuck': {
    levels: ['error'],
    meaning: 'something at work makes no progress; the watchdog is not fed',
    remedy: 'look at what is named; the service manager starts the service again',
    fields: ['who', 'quietMs'],
  },
  'service.unheard': {
    levels: ['warn'],
    meaning: 'systemd could not be told how the service is',
    remedy: 'what `reason` says; with `Type=notify` systemd will end the service',
    fields: ['reason'],
  },
  'config.reloaded': {
    levels: ['info'],
    meaning: 'the configuration was read again; these settings changed',
    remedy: null,
    fields: ['live'],
  },
  'config.restart': {
    levels: ['warn'],
    meaning: 'changed settings that count only after a restart',
    remedy: 'restart the service',
    fields: ['restart'],
  },
  'config.refused': {
    levels: ['error'],
    meaning: 'the file that was to be reloaded is wrong; the old configuration stays',
    remedy: 'correct the lines in `error.message` and reload again',
    fields: ['error'],
  },
  'config.bug': {
    levels: ['error'],
    meaning: 'a fault of rosterd itself while a configuration was read',
    remedy: 'report it with this line',
    fields: ['err'],
  },
  'status.store': {
    levels: ['warn'],
    meaning:
      'somebody asked for the status while the store did not answer; it was told without what only the store knows',
    remedy: 'see whether the store answers; `error` says what its server says',
    fields: ['error'],
  },
  'schedule.missed': {
    levels: ['info', 'warn'],
    meaning:
      'scheduled times went by while nothing could run; they are made up for once. `warn`: the machine slept, or its clock was put forward',
    remedy: 'look why this machine stood still',
    fields: ['source', 'due'],
  },
  'schedule.elsewhere': {
    levels: ['info'],
    meaning: 'another rosterd is at work on the source',
    remedy: null,
    fields: ['source'],
  },
  'schedule.taken-over': {
    levels: ['warn'],
    meaning: 'the rosterd that was at work on the source gives no sign of life any more; its run is made up for here',
    remedy: 'look why that one ended',
    fields: ['source', 'run'],
  },
  'schedule.set-back': {
    levels: ['warn'],
    meaning: 'the clock of this machine was set back; due times are planned anew',
    remedy: 'look at the time service of this machine',
    fields: ['from', 'to'],
  },
  'schedule.joined': {
    levels: ['debug', 'info'],
    meaning: 'what came due joins the run that waits already',
    remedy: null,
    fields: ['source', 'target', 'trigger', 'dryRun', 'due'],
  },
  'schedule.after': {
    levels: ['debug', 'info'],
    meaning: 'what came due while a run is on follows it once',
    remedy: null,
    fields: ['source', 'target', 'trigger', 'dryRun', 'due'],
  },
  'schedule.waits': {
    levels: ['debug'],
    meaning: 'a run waits for its turn',
    remedy: null,
    fields: ['source', 'target', 'trigger', 'dryRun', 'due'],
  },
  'schedule.begins': {
    levels: ['debug'],
    meaning: 'a run begins',
    remedy: null,
    fields: ['source', 'target', 'trigger', 'dryRun', 'dues'],
  },
  'schedule.skipped': {
    levels: ['debug', 'info'],
    meaning: 'a run that came due is not made, for the reason given',
    remedy: null,
    fields: ['source', 'target', 'dues', 'due', 'reason'],
  },
  'schedule.retry': {
    levels: ['info'],
    meaning: 'after a failure it is tried again at the time given',
    remedy: null,
    fields: ['source', 'target', 'failures', 'retryAt', 'notBefore', 'error'],
  },
  'schedule.opened': {
    levels: ['warn'],
    meaning: 'it failed several times in a row and is left alone for a while',
    remedy: 'what `error.message` says; a run by hand is tried at once',
    fields: ['source', 'target', 'failures', 'retryAt', 'notBefore', 'error'],
  },
  'schedule.still-open': {
    levels: ['info'],
    meaning: 'it failed again and is left alone for longer',
    remedy: null,
    fields: ['source', 'target', 'failures', 'retryAt', 'notBefore', 'error'],
  },
  'schedule.closed': {
    levels: ['info'],
    meaning: 'it works again',
    remedy: null,
    fields: ['source', 'target', 'failures'],
  },
  'schedule.threw': {
    levels: ['error'],
    meaning: 'the store failed, or rosterd itself',
    remedy: 'what `error.message` says',
    fields: ['source', 'target', 'error', 'err'],
  },
  'control.opened': {
    levels: ['info'],
    meaning: 'the control socket answers',
    remedy: null,
    fields: ['file'],
  },
  'control.bug': {
    levels: ['error'],
    meaning: 'a fault of rosterd itself while a request at the control socket was answered',
    remedy: 'report it with this line',
    fields: ['err'],
  },
  'control.decided': {
    levels: ['info'],
    meaning: 'somebody at the control socket asked for something that changes what happens; `reason` says for what',
    remedy: null,
    fields: ['reason'],
  },
  'process.crashed': {
    levels: ['error'],
    meaning: 'a fault of rosterd itself; a start goes on from what is written down',
    remedy: 'report it with this line',
    fields: ['err'],
  },
} as const satisfies Record<string, Declared>;

/** The name of an event. */
export type EventName = keyof typeof events;

/** Events that may be logged at a level, and at each of several. */
export type EventAt<L extends Level> = {
  [E in EventName]: [L] extends [(typeof events)[E]['levels'][number]] ? E : never;
}[EventName];

/** What a log call says of an event: every field that is declared for it; null where there is nothing to say. */
export type Said<E extends EventName> = { event: E } & {
  [F in (typeof events)[E]['fields'][number]]: Forms[(typeof fields)[F]] | null | undefined;
};
