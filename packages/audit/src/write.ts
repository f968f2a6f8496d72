import { AuditError } from './errors.ts';
import { isSigned, parseRecord } from './record.ts';

/** Records that CAS writes together at most. */
export const writeRecords = 1024;
/** Bytes of lines that CAS writes together at most; a single line may be longer. */
export const writeBytes = 4_194_304;

/** Lines that were written together: the last one has the signature that covers them all. */
export interface Write {
  readonly lines: readonly Uint8Array[];
  /** False in the last write of a file that ends before its signature does. */
  readonly signed: boolean;
}

/**
 * Untrusted lines, without line feeds, by the writes of CAS; of format 1 and 2 each line is one. Whether a signature is right is left to the
 * caller. Throws `AUDIT_FORM` where more lines go without one than CAS writes, and where what follows the last one is no records.
 */
export async function* writes(lines: AsyncIterable<Uint8Array>): AsyncGenerator<Write, void, undefined> {
  let open: Uint8Array[] = [];
  let bytes = 0;
  for await (const line of lines) {
    open.push(line);
    bytes += line.length;
    if (isSigned(line)) {
      yield { lines: open, signed: true };
      open = [];
      bytes = 0;
    } else if (open.length >= writeRecords || bytes > writeBytes) {
      throw new AuditError(
        'AUDIT_FORM',
        `audit log: a signature after at most ${writeRecords} records and ${writeBytes} bytes expected, none found`,
      );
    }
  }
  if (open.length === 0) return;
  // What was cut short consists of records all the same.
  for (const line of open) parseRecord(line);
  yield { lines: open, signed: false };
}
