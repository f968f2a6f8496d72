import { concatBytes, fromUtf8, utf8 } from '@ensconce/base/bytes';
import { PolicyError } from './errors.ts';

/** One `$$SCONE::name[:format][|escape(json)]$$`. */
export interface SecretReference {
  /** As written, with a dotted suffix still in it: `redis.crt` is a secret of that name, or else `redis` as `.crt`. */
  readonly name: string;
  /** `''`, `hex`, `crt:pem` … */
  readonly format: string;
  readonly escape?: 'json' | undefined;
}

/** The value to put in, or `undefined` where there is no such secret. */
export type Lookup = (reference: SecretReference) => Uint8Array | undefined;

const opening = '$$SCONE::';
const form =
  /^([A-Za-z0-9_.~-]{1,512}|self::[a-z_]{1,64})((?::[a-z0-9-]{1,32}){0,4})(?:\|escape\((json)\))?$/;

type Part = string | SecretReference;

/** The text between references and the references, in order. Throws `POLICY_REFERENCE`. */
export function splitReferences(value: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (;;) {
    const start = value.indexOf(opening, at);
    if (start < 0) break;
    const end = value.indexOf('$$', start + opening.length);
    const inner = end < 0 ? undefined : value.slice(start + opening.length, end);
    const match = inner === undefined ? null : form.exec(inner);
    if (!match) {
      throw new PolicyError(
        'POLICY_REFERENCE',
        `$$SCONE::name[:format][|escape(json)]$$ expected, ${show(value.slice(start, end < 0 ? undefined : end + 2))} found`,
      );
    }
    if (start > at) parts.push(value.slice(at, start));
    parts.push({
      name: match[1] as string,
      format: (match[2] ?? '').slice(1),
      ...(match[3] === undefined ? {} : { escape: 'json' as const }),
    });
    at = end + 2;
  }
  if (at < value.length) parts.push(value.slice(at));
  return parts;
}

export function references(value: string): readonly SecretReference[] {
  if (!value.includes(opening)) return [];
  return splitReferences(value).filter((part) => typeof part !== 'string');
}

/** The reference that is the whole of `value`, if it is one. */
export function wholeReference(value: string): SecretReference | undefined {
  if (!value.startsWith(opening)) return undefined;
  const parts = splitReferences(value);
  return parts.length === 1 && typeof parts[0] === 'object' ? parts[0] : undefined;
}

/**
 * Puts secrets in for their references, once: a secret's own value is never looked at again. What stands between
 * references stays as it is. For files: the bytes of a secret go in unchanged.
 */
export function substituteSecretsBytes(value: string, lookup: Lookup): Uint8Array {
  return concatBytes(
    ...splitReferences(value).map((part) => (typeof part === 'string' ? utf8(part) : valueOf(part, lookup))),
  );
}

/** As {@link substituteSecretsBytes}, in a file of any bytes: references are ASCII, and what is no reference stays as it is. */
export function substituteSecretsInFile(file: Uint8Array, lookup: Lookup): Uint8Array {
  // One character a byte, and back.
  const text = Buffer.from(file.buffer, file.byteOffset, file.length).toString('latin1');
  return concatBytes(
    ...splitReferences(text).map((part) =>
      typeof part === 'string' ? Buffer.from(part, 'latin1') : valueOf(part, lookup),
    ),
  );
}

/** As {@link substituteSecretsBytes}, for arguments and variables: text without NUL. */
export function substituteSecrets(value: string, lookup: Lookup): string {
  return splitReferences(value)
    .map((part) => {
      if (typeof part === 'string') return part;
      const bytes = valueOf(part, lookup);
      const text = decode(bytes);
      if (text === undefined || text.includes('\0')) {
        throw new PolicyError(
          'POLICY_VALUE',
          `secret ${part.name}: UTF-8 text without NUL expected here, ${bytes.length} bytes of something else found`,
          { hint: `write $$SCONE::${part.name}:hex$$ or :base64` },
        );
      }
      return text;
    })
    .join('');
}

/**
 * Substitutes in every argument of a command that is split already. A secret must not bring in a host argument: one
 * that turns an argument into `@@N` is refused.
 */
export function substituteCommand(command: readonly string[], lookup: Lookup): readonly string[] {
  return command.map((argument) => {
    const value = substituteSecrets(argument, lookup);
    if (value !== argument && /^@@[0-9]+$/.test(value)) {
      throw new PolicyError(
        'POLICY_VALUE',
        'an argument that secrets were put into must not read @@N, one that does found',
      );
    }
    return value;
  });
}

function valueOf(reference: SecretReference, lookup: Lookup): Uint8Array {
  const bytes = lookup(reference);
  if (!bytes) {
    throw new PolicyError(
      'POLICY_UNKNOWN_SECRET',
      `a secret of the session expected, ${show(reference.name)} found`,
    );
  }
  if (reference.escape === undefined) return bytes;
  const text = decode(bytes);
  if (text === undefined) {
    throw new PolicyError(
      'POLICY_VALUE',
      `secret ${reference.name}: UTF-8 text expected for escape(json), other bytes found`,
    );
  }
  return utf8(JSON.stringify(text).slice(1, -1));
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
