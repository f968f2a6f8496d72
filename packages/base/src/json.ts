import { EnsconceError } from './errors.ts';
import { fromUtf8, utf8 } from './bytes.ts';

export type JsonErrorCode = 'JSON_SIZE' | 'JSON_SYNTAX' | 'JSON_NOT_CANONICAL';

/** Text that should have been JSON and is not, or is not in canonical form. */
export class JsonError extends EnsconceError<JsonErrorCode> {}

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonical(item)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter((member): member is [string, Json] => member[1] !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
    return `{${members.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`canonical JSON takes safe integers only, ${value} found`);
  }
  return JSON.stringify(value);
}

/** RFC 8785 canonical JSON, restricted to safe integers: sorted keys, no white space, UTF-8. Its bytes may be hashed. */
export function canonicalJson(value: Json): Uint8Array {
  return utf8(canonical(value));
}

/** Parses JSON of at most `limit` bytes from an untrusted source; the result is `unknown` until a schema has read it. */
export function parseJson(bytes: Uint8Array, what: string, limit: number): unknown {
  if (bytes.length > limit)
    throw new JsonError('JSON_SIZE', `${what}: at most ${limit} bytes expected, ${bytes.length} found`);
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw new JsonError(
      'JSON_SYNTAX',
      `${what}: JSON expected, ${bytes.length} bytes of something else found`,
      { cause },
    );
  }
}

/** Like {@link parseJson}, and refuses any encoding but the canonical one, so that equal values have equal hashes. */
export function parseCanonicalJson(bytes: Uint8Array, what: string, limit: number): unknown {
  const value = parseJson(bytes, what, limit);
  const again = canonicalJson(value as Json);
  if (again.length !== bytes.length || !again.every((byte, i) => byte === bytes[i])) {
    throw new JsonError(
      'JSON_NOT_CANONICAL',
      `${what}: canonical JSON expected (RFC 8785), another encoding found`,
    );
  }
  return value;
}
