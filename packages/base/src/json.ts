import { EnsconceError } from './errors.ts';
import { equalBytes, fromUtf8, utf8 } from './bytes.ts';

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

/** Arrays and objects inside one another; recursion on untrusted values stops here. */
const maxDepth = 100;

function text(value: string): string {
  // RFC 8785 §3.2.2.2: lone surrogates are an error.
  if (!value.isWellFormed())
    throw new RangeError('canonical JSON takes well-formed text, a lone surrogate found');
  return JSON.stringify(value);
}

function canonical(value: Json, depth: number): string {
  if (depth > maxDepth) throw new RangeError(`canonical JSON takes ${maxDepth} levels at most, more found`);
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonical(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    let members = '';
    for (const key of Object.keys(value).sort()) {
      const member = (value as { readonly [key: string]: Json | undefined })[key];
      if (member !== undefined)
        members += `${members === '' ? '' : ','}${text(key)}:${canonical(member, depth + 1)}`;
    }
    return `{${members}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`canonical JSON takes safe integers only, ${value} found`);
  }
  return typeof value === 'string' ? text(value) : JSON.stringify(value);
}

/**
 * RFC 8785 canonical JSON, restricted to safe integers and 100 levels: sorted keys, no white space, UTF-8. Its bytes may
 * be hashed. Throws `RangeError` on a value that has no such form.
 */
export function canonicalJson(value: Json): Uint8Array {
  // What stands in order is written whole by the engine, many times faster than piece by piece.
  return utf8(standsInOrder(value, 0) ? JSON.stringify(value) : canonical(value, 0));
}

/** Whether all members stand in the order of canonical JSON, and nothing is in it that `canonical` refuses. */
function standsInOrder(value: Json | undefined, depth: number): boolean {
  if (depth > maxDepth) return false;
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object') return typeof value === 'boolean';
  if (value === null) return true;
  if (Array.isArray(value)) return value.every((item: Json) => standsInOrder(item, depth + 1));
  let before = '';
  for (const key of Object.keys(value)) {
    const member = (value as { readonly [key: string]: Json | undefined })[key];
    if (key < before || !key.isWellFormed()) return false;
    if (member !== undefined && !standsInOrder(member, depth + 1)) return false;
    before = key;
  }
  return true;
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
  let again: Uint8Array | undefined;
  let cause: unknown;
  try {
    again = canonicalJson(value as Json);
  } catch (error) {
    cause = error;
  }
  if (again === undefined || !equalBytes(again, bytes)) {
    throw new JsonError(
      'JSON_NOT_CANONICAL',
      `${what}: canonical JSON expected (RFC 8785), another encoding found`,
      { cause },
    );
  }
  return value;
}
