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

/** A statement with the name that it is wrapped under. */
export interface NamedStatement extends SignedStatement {
  readonly name: StatementName;
}

const start = /\{\s*"(tcbInfo|enclaveIdentity)"\s*:\s*(?=\{)/g;
const end = /\}\s*,\s*"signature"\s*:\s*"([0-9a-fA-F]{128})"\s*\}/g;

/** The statements in a text that may hold other things too; with `whole`, only one that is all of the text. */
export function findSigned(text: string, whole = false): NamedStatement[] {
  const found: NamedStatement[] = [];
  let at = 0;
  for (;;) {
    start.lastIndex = at;
    const head = start.exec(text);
    if (head === null) return found;
    end.lastIndex = start.lastIndex;
    const tail = end.exec(text);
    if (tail === null) return found;
    const isWhole = (): boolean =>
      /^[\s\0]*$/.test(`${text.slice(0, head.index)}${text.slice(end.lastIndex)}`);
    if (!whole || isWhole()) {
      found.push({
        name: head[1] as StatementName,
        text: text.slice(start.lastIndex, tail.index + 1),
        signature: fromHex(tail[1] as string),
      });
    }
    if (whole) return found;
    at = end.lastIndex;
  }
}

/** A parsed `{tcbInfo: {…}, signature}` from within other JSON: Intel signs its objects without white space, in their own order of members. */
export function joinSigned(value: object): NamedStatement | undefined {
  const members = value as Readonly<Record<string, unknown>>;
  const { signature } = members;
  if (typeof signature !== 'string' || !/^[0-9a-fA-F]{128}$/.test(signature)) return undefined;
  for (const name of ['tcbInfo', 'enclaveIdentity'] as const) {
    const body = members[name];
    if (typeof body === 'object' && body !== null)
      return { name, text: JSON.stringify(body), signature: fromHex(signature) };
  }
  return undefined;
}
