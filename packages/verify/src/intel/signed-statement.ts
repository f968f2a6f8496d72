import { fromHex } from '@ensconce/base/bytes';
import { VerifyError } from '../errors.ts';

/** A signed statement of Intel as the PCS serves it, taken apart. */
export interface SignedStatement {
  /** The inner object, character by character as served: this is what is signed. */
  readonly text: string;
  /** r‖s, 64 bytes. */
  readonly signature: Uint8Array;
}

export type StatementName = 'tcbInfo' | 'enclaveIdentity';

/**
 * Takes `{"tcbInfo":{…},"signature":"…"}` apart without writing the inner object anew: another spelling would not verify. Intel puts the
 * signature last, and no member of the inner object is called so.
 */
export function splitSigned(body: string, name: StatementName): SignedStatement {
  const start = new RegExp(`^\\s*\\{\\s*"${name}"\\s*:\\s*(?=\\{)`).exec(body)?.[0].length;
  const end = /\s*,\s*"signature"\s*:\s*"([0-9a-fA-F]{128})"\s*\}\s*$/.exec(body.slice(-512));
  if (start === undefined || end === null) {
    throw new VerifyError(
      'VERIFY_COLLATERAL',
      `${name}: {"${name}":{…},"signature":"<128 hexadecimal digits>"} expected, ${body.length} characters of something else found`,
    );
  }
  const stop = body.length - Math.min(body.length, 512) + end.index;
  return { text: body.slice(start, stop), signature: fromHex(end[1] as string) };
}
