import { EnsconceError } from '@ensconce/base/errors';

export type AuditErrorCode =
  /** A record, note or statement that is not of the documented form. */
  | 'AUDIT_FORM'
  /** Signed by nobody who may, or changed after it was signed. */
  | 'AUDIT_SIGNATURE'
  /** Of another CAS. */
  | 'AUDIT_OTHER_CAS'
  /** A record that was changed, moved or put in: it does not follow from the one before. */
  | 'AUDIT_CHAIN'
  /** Records between two others, or before the first, are not there. */
  | 'AUDIT_MISSING'
  /** A proof that does not lead to the root it should. */
  | 'AUDIT_PROOF'
  /** Two checkpoints of which neither continues the other: the log was rolled back or forked. */
  | 'AUDIT_FORKED'
  /** A list of a session's records with one missing. */
  | 'AUDIT_INCOMPLETE';

/** An audit log, or a statement about one, that does not hold. */
export class AuditError extends EnsconceError<AuditErrorCode> {}

/** CAS signed two histories of its log: each of the two notes proves it to anybody who has the other. */
export class ForkedLogError extends AuditError {
  readonly notes: readonly string[];

  constructor(message: string, notes: readonly string[], cause?: unknown) {
    super('AUDIT_FORKED', `audit log: ${message}`, {
      cause,
      hint: 'this CAS was put back to an earlier state, or runs twice: trust no answer of it, keep both checkpoints as evidence, and ask who runs it',
    });
    this.notes = notes;
  }
}
