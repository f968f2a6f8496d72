import { BytesError } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';

export type EvidenceErrorCode =
  /** Bytes that do not have the layout of the format they should be in. */
  | 'EVIDENCE_STRUCTURE'
  /** A version, key type or kind of certification data that is not supported. */
  | 'EVIDENCE_UNSUPPORTED'
  /** More bytes than the format allows, or bytes after its end. */
  | 'EVIDENCE_SIZE';

/** Evidence that cannot be read. It says nothing about genuineness: that is judged in `@ensconce/verify`. */
export class EvidenceError extends EnsconceError<EvidenceErrorCode> {}

/** Runs a parser and gives its short reads as `EvidenceError`, so that callers meet one kind of error. */
export function reading<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof BytesError)
      throw new EvidenceError('EVIDENCE_STRUCTURE', error.message, { cause: error });
    throw error;
  }
}
