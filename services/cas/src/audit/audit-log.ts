import { sign, createPublicKey, type KeyObject } from 'node:crypto';
import { constants, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { canonicalJson } from '@ensconce/base/json';
import { CasError } from '../errors.ts';
import { syncFolder } from '../store/key-sealer.ts';
import type { AuditPosition } from '../store/store.ts';
import { firstPrevious, lineHash, lineLimit, readAuditChain } from './audit-chain.ts';
import type { AuditEvent, AuditRecord } from './audit-event.ts';

export interface AuditLogOptions {
  readonly path: string;
  /** Ed25519 private key. */
  readonly key: KeyObject;
  readonly now: () => Date;
  /** Where the database says that the log stood. */
  readonly anchor: AuditPosition | undefined;
  /** Number of the database's last commit. */
  readonly state: number;
}

interface Waiting {
  readonly line: Buffer;
  readonly position: AuditPosition;
  readonly resolve: (position: AuditPosition) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The audit log: JSON lines, numbered, each holding the hash of the one before and a signature (docs/formats/audit-log.md).
 * `append` resolves when the line is on the disk; records that wait together share one sync.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #file: FileHandle;
  #sequence: number;
  #hash: string;
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failure: unknown;
  /** Told how many milliseconds each write of records took. */
  onSync: (milliseconds: number) => void = () => {};

  private constructor(options: AuditLogOptions, file: FileHandle, sequence: number, hash: string) {
    this.#options = options;
    this.#file = file;
    this.#sequence = sequence;
    this.#hash = hash;
  }

  /** Opens a log, verifies it whole against itself and against the database, and cuts off a torn last line. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const { path, anchor } = options;
    const file = await open(path, appendDurably, 0o600);
    try {
      syncFolder(dirname(path));
      const chain = await readAuditChain(path, createPublicKey(options.key), {
        anchor: anchor?.sequence,
        signaturesFrom: (anchor?.sequence ?? 0) + 1,
      });
      if (anchor !== undefined && anchor.sequence > 0 && chain.anchorHash !== anchor.hash) {
        throw new CasError(
          'CAS_AUDIT_CORRUPT',
          `audit log ${path}: record ${anchor.sequence} with hash ${anchor.hash} expected, ` +
            `${chain.anchorHash ?? `a log of ${chain.sequence} records`} found`,
          { hint: 'the log was cut or replaced; put back the one that belongs to this database' },
        );
      }
      if (chain.oldestState > options.state) {
        throw new CasError(
          'CAS_STATE_ROLLED_BACK',
          `database: commit ${chain.oldestState} or later expected, as the audit log says, ${options.state} found`,
          { hint: 'an older copy of the database was put back; restore the newest one' },
        );
      }
      await file.truncate(chain.size);
      return new AuditLog(options, file, chain.sequence, chain.sequence === 0 ? firstPrevious : chain.hash);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The last record that was appended. */
  get position(): AuditPosition {
    return { sequence: this.#sequence, hash: this.#hash };
  }

  /** False once a record could not be written: from then on nothing is released before a restart. */
  get writable(): boolean {
    return this.#failure === undefined;
  }

  /** `state` is the commit that the event announces or follows. Rejects when the disk does not take the record. */
  append(event: AuditEvent, state: number): Promise<AuditPosition> {
    if (this.#failure !== undefined) return Promise.reject(writeFailed(this.#failure));
    const record: AuditRecord = {
      format: 'ensconce-audit/1',
      sequence: this.#sequence + 1,
      time: this.#options.now().toISOString(),
      state,
      previous: this.#hash,
      event,
    };
    const signature = sign(null, canonicalJson(record), this.#options.key).toString('base64');
    const body = canonicalJson({ ...record, signature });
    if (body.length > lineLimit) {
      return Promise.reject(new RangeError(`audit record: ${lineLimit} bytes at most, ${body.length} found`));
    }
    this.#sequence = record.sequence;
    this.#hash = lineHash(body);
    const position = this.position;
    return new Promise((resolve, reject) => {
      this.#queue.push({ line: Buffer.concat([body, Buffer.from('\n')]), position, resolve, reject });
      this.#writing ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const began = performance.now();
        await this.#file.appendFile(Buffer.concat(batch.map((entry) => entry.line)));
        this.onSync(performance.now() - began);
        for (const entry of batch) entry.resolve(entry.position);
      } catch (error) {
        // What is on the disk is unknown now, so the chain cannot go on before a restart has read it again.
        this.#failure = error;
        for (const entry of batch) entry.reject(writeFailed(error));
      }
    }
    this.#writing = undefined;
  }
}

// A write comes back when it is on the disk: one way to the disk for each batch instead of two.
const { O_RDWR, O_CREAT, O_APPEND, O_DSYNC } = constants;
const appendDurably = O_RDWR | O_CREAT | O_APPEND | O_DSYNC;

function writeFailed(cause: unknown): CasError {
  return new CasError(
    'CAS_AUDIT_WRITE',
    'audit log: the record could not be written, so nothing is released',
    {
      cause,
      hint: 'see to disk space and disk errors of the machine of CAS, then restart it',
    },
  );
}
