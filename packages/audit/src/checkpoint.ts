import type { CryptoProvider } from '@ensconce/x509/crypto';
import type { AuditKey } from './endorsement.ts';
import { AuditError, ForkedLogError } from './errors.ts';
import { openNote } from './note.ts';
import { verifyConsistency, type TreeHead } from './proof.ts';
import { hashSize } from './tree.ts';

/** The text of a checkpoint (c2sp.org/tlog-checkpoint): origin, size, root. */
export function checkpointText(origin: string, head: TreeHead): string {
  return `${origin}\n${head.size}\n${head.root.toBase64()}\n`;
}

/** Size and root in lines 2 and 3 of an untrusted text. */
export function treeHeadOf(lines: readonly string[]): TreeHead {
  const [, sizeText = '', rootText = ''] = lines;
  const size = Number(sizeText);
  let root: Uint8Array | undefined;
  try {
    root = Uint8Array.fromBase64(rootText);
  } catch {
    root = undefined;
  }
  if (!/^(?:0|[1-9]\d{0,15})$/.test(sizeText) || !Number.isSafeInteger(size))
    throw new AuditError('AUDIT_FORM', 'checkpoint: a number of records expected in line 2');
  if (root?.length !== hashSize || root.toBase64() !== rootText)
    throw new AuditError('AUDIT_FORM', 'checkpoint: a hash of 32 bytes in base64 expected in line 3');
  return { size, root };
}

const authority = Symbol('checkpoint');

/** How long a CAS's log was at some time, and what stood in it, signed by that CAS. Only {@link openCheckpoint} makes one. */
export class Checkpoint implements TreeHead {
  readonly #made: true;
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** The signed note, as it came. */
  readonly note: string;

  constructor(
    authorized: symbol,
    parts: { readonly origin: string; readonly head: TreeHead; readonly note: string },
  ) {
    if (authorized !== authority) throw new TypeError('only a signed note makes checkpoints');
    this.#made = true;
    this.origin = parts.origin;
    this.size = parts.head.size;
    this.root = parts.head.root;
    this.note = parts.note;
  }

  static is(value: unknown): value is Checkpoint {
    return typeof value === 'object' && value !== null && #made in value && value.#made;
  }
}

/** Reads an untrusted checkpoint. Throws `AUDIT_FORM`, `AUDIT_SIGNATURE`. */
export async function openCheckpoint(
  crypto: CryptoProvider,
  key: AuditKey,
  note: string,
): Promise<Checkpoint> {
  const text = await openNote(crypto, key, key.origin, note);
  const lines = text.slice(0, -1).split('\n');
  if (lines[0] !== key.origin)
    throw new AuditError('AUDIT_FORM', `checkpoint: origin ${key.origin} expected, another one found`);
  return new Checkpoint(authority, { origin: key.origin, head: treeHeadOf(lines), note });
}

/**
 * Holds a newer checkpoint against the one that was kept; `proof` is CAS's, untrusted. Throws `AUDIT_FORKED`: CAS signed two histories, so it
 * was put back to an earlier state, or runs twice.
 */
export async function checkContinues(
  crypto: CryptoProvider,
  kept: Checkpoint,
  newer: Checkpoint,
  proof: readonly Uint8Array[],
): Promise<void> {
  if (kept.origin !== newer.origin)
    throw new AuditError(
      'AUDIT_OTHER_CAS',
      `checkpoint: origin ${kept.origin} expected, ${newer.origin} found`,
    );
  if (kept.size === 0) return;
  const notes = [kept.note, newer.note];
  if (newer.size < kept.size) {
    const found = `${kept.size} records or more expected, as CAS has signed before, ${newer.size} found`;
    throw new ForkedLogError(found, notes);
  }
  try {
    await verifyConsistency(crypto, kept, newer, proof);
  } catch (cause) {
    if (!(cause instanceof AuditError)) throw cause;
    const found =
      newer.size === kept.size
        ? `the ${kept.size} records that CAS has signed before expected, others found`
        : `records that continue the ${kept.size} that CAS has signed before expected, no proof of that found`;
    throw new ForkedLogError(found, notes, cause);
  }
}
