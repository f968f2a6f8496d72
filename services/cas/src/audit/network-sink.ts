import type { Logger } from 'pino';
import { openCheckpoint, type Checkpoint } from '@ensconce/audit/checkpoint';
import type { AuditKey } from '@ensconce/audit/endorsement';
import { AuditError } from '@ensconce/audit/errors';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { fromUtf8 } from '@ensconce/base/bytes';
import { CasError } from '../errors.ts';
import type { AuditLog, AuditSink } from './audit-log.ts';
import type { AuditNotes } from './audit-notes.ts';
import type { AuditProofs } from './audit-proofs.ts';
import type { SinkClient } from './sink-client.ts';

/** Bytes of records in one request; one record is always sent. */
const batchBytes = 1_048_576;
/** Milliseconds between tries while the sink cannot be reached; the last one again and again. */
const pauses = [200, 500, 1000, 2000, 5000] as const;

export interface NetworkSinkOptions {
  readonly client: SinkClient;
  /** Whether it keeps and gives back the newest checkpoint. */
  readonly witness: boolean;
  /** Whether this state has had this sink before. */
  readonly knownBefore: boolean;
  readonly audit: AuditLog;
  readonly proofs: AuditProofs;
  readonly notes: AuditNotes;
  readonly key: AuditKey;
  /** The last record that the sink is known to have where it cannot say so itself. */
  readonly sent: number;
  /** Called each time when the sink has all records. */
  readonly onReached: () => void;
  readonly log: Logger;
}

interface Waiting {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends all records, in order, to a sink over HTTPS. Records are sent again until the sink has taken them, so it may see one twice: the same
 * line with the same number. A witness is asked first what it knows; a log that does not continue that was put back, and nothing is
 * released any more.
 */
export class NetworkSink implements AuditSink {
  readonly #options: NetworkSinkOptions;
  readonly countsCommits: boolean;
  #acknowledged: number;
  #confirmed: boolean;
  #up = false;
  #failures = 0;
  /** Why nothing will ever go out again; a restart asks anew. */
  #fatal: CasError | undefined;
  #closed = false;
  #waiting: Waiting[] = [];
  #wake: () => void = () => {};
  readonly #running: Promise<void>;
  readonly #firstTry = Promise.withResolvers<void>();

  constructor(options: NetworkSinkOptions) {
    this.#options = options;
    this.countsCommits = options.witness;
    this.#acknowledged = options.sent;
    this.#confirmed = !options.witness;
    options.audit.onGrowth = () => this.#wake();
    this.#running = this.#run();
  }

  /** Resolves after the first try, whatever came of it; throws `CAS_STATE_ROLLED_BACK` where the witness knows another history. */
  async tried(): Promise<void> {
    await this.#firstTry.promise;
    if (this.#fatal !== undefined) throw this.#fatal;
  }

  /** Records that the sink has. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Whether the sink has all records, or is about to get them. */
  get up(): boolean {
    return this.#up;
  }

  check(): void {
    if (!this.#up) throw this.#unavailable(this.#fatal);
  }

  reached(sequence: number): Promise<void> {
    if (sequence <= this.#acknowledged) return Promise.resolve();
    if (!this.#up) return Promise.reject(this.#unavailable(this.#fatal));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ sequence, resolve, reject });
    });
  }

  /** Gives the last records a chance, then lets go. */
  async close(): Promise<void> {
    if (this.#up) await this.reached(this.#options.audit.size).catch(() => undefined);
    this.#closed = true;
    this.#wake();
    await this.#running;
    this.#options.client.close();
  }

  async #run(): Promise<void> {
    while (!this.#closed && this.#fatal === undefined) {
      try {
        if (!this.#confirmed) await this.#confirm();
        while (this.#acknowledged < this.#options.audit.size) await this.#send();
        this.#reached();
        await this.#sleep(undefined);
      } catch (error) {
        this.#failed(error);
        this.#firstTry.resolve();
        const pause = pauses[Math.min(this.#failures, pauses.length) - 1];
        if (this.#fatal === undefined) await this.#sleep(pause);
      }
    }
  }

  #reached(): void {
    const { log, onReached } = this.#options;
    if (!this.#up) log.info({ records: this.#acknowledged }, 'the sink of the audit log has all records');
    const again = !this.#up;
    this.#up = true;
    this.#failures = 0;
    this.#firstTry.resolve();
    if (again) onReached();
  }

  /** Waits until there is more to send or, after a failure, only for the pause. */
  #sleep(pause: number | undefined): Promise<void> {
    if (this.#closed || (pause === undefined && this.#acknowledged < this.#options.audit.size))
      return Promise.resolve();
    return new Promise((resolve) => {
      const timer = pause === undefined ? undefined : setTimeout(resolve, pause);
      this.#wake = () => {
        if (pause !== undefined && !this.#closed) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #failed(error: unknown): void {
    const { log } = this.#options;
    this.#up = false;
    this.#failures++;
    if (error instanceof CasError && error.code === 'CAS_STATE_ROLLED_BACK') {
      this.#fatal = error;
      log.fatal({ err: error }, 'the witness knows another history: nothing is released any more');
    } else if (this.#failures === 1) {
      log.error(
        { err: error },
        'the sink of the audit log cannot be reached: nothing is released until it is',
      );
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(this.#unavailable(error));
  }

  /** The log must continue what the witness has; what it lacks is sent. */
  async #confirm(): Promise<void> {
    const { audit, proofs, knownBefore } = this.#options;
    const known = await this.#known();
    if (known === undefined) {
      if (knownBefore)
        throw new Error(
          'the witness expected to have a checkpoint of this log, it has none: give it back the newest that anybody has seen',
        );
      this.#acknowledged = 0;
    } else {
      if (!(await proofs.continues(known))) {
        throw new CasError(
          'CAS_STATE_ROLLED_BACK',
          `audit log: one that continues the ${known.size} records of the witness expected, ${audit.size} records that do not found`,
          {
            hint: 'an older copy of the state folder was put back, or this CAS runs twice; restore the newest one',
          },
        );
      }
      this.#acknowledged = known.size;
    }
    this.#confirmed = true;
  }

  async #known(): Promise<Checkpoint | undefined> {
    const { client, key } = this.#options;
    const { status, body } = await client.get();
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`witness: status 200 or 404 expected, ${status} found`);
    try {
      return await openCheckpoint(nodeCrypto, key, fromUtf8(body));
    } catch (cause) {
      if (!(cause instanceof AuditError || cause instanceof TypeError)) throw cause;
      throw new Error('witness: a checkpoint that this CAS signed expected, something else found', { cause });
    }
  }

  async #send(): Promise<void> {
    const { audit, proofs, notes, client } = this.#options;
    const from = this.#acknowledged + 1;
    const to = audit.fitting(from, audit.size, batchBytes);
    const lines = await proofs.lines(from, to);
    const checkpoint = await notes.checkpoint(await proofs.tree(to));
    const { status } = await client.post(
      Buffer.concat(lines.flatMap((line) => [line, lineFeed])),
      from,
      checkpoint,
    );
    if (status === 409) {
      throw new CasError(
        'CAS_STATE_ROLLED_BACK',
        `audit log: a sink without other records from ${from} on expected, it has others`,
        { hint: 'an older copy of the state folder was put back, or this CAS runs twice' },
      );
    }
    if (status < 200 || status > 299) throw new Error(`sink: status 2xx expected, ${status} found`);
    this.#acknowledged = to;
    const reached = this.#waiting.filter(({ sequence }) => sequence <= to);
    this.#waiting = this.#waiting.filter(({ sequence }) => sequence > to);
    for (const { resolve } of reached) resolve();
  }

  #unavailable(cause: unknown): CasError {
    return new CasError(
      'CAS_AUDIT_SINK',
      this.#confirmed
        ? 'audit log: its sink cannot be reached, so nothing is released'
        : 'audit log: its witness has not confirmed that this is the newest state, so nothing is released',
      { cause, hint: 'try again later; the log of CAS says what is wrong with the sink' },
    );
  }
}

const lineFeed = Buffer.from('\n');
