import { fromUtf8 } from '@ensconce/base/bytes';
import { EvidenceError } from './errors.ts';

/** Members of a JSON object, unread. */
export type Members = Readonly<Record<string, unknown>>;

const base64Text = /^[A-Za-z0-9+/_-]*={0,2}$/;
const pemText = /^\s*-----BEGIN [A-Z0-9 ]+-----([A-Za-z0-9+/=\s]*)-----END/;

function fromBase64(text: string): Uint8Array | undefined {
  if (!base64Text.test(text)) return undefined;
  try {
    return Uint8Array.fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function fromNumbers(values: readonly unknown[]): Uint8Array | undefined {
  const isByte = (value: unknown): boolean =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
  return values.every((value) => isByte(value)) ? Uint8Array.from(values as number[]) : undefined;
}

/** The bytes of text in hexadecimal (with or without 0x) or base64 of either alphabet; undefined for other text. */
export function textBytes(text: string): Uint8Array | undefined {
  // Without its spaces, PEM looks like base64 of the alphabet for addresses.
  if (text.includes('-----BEGIN')) return undefined;
  const compact = text.replaceAll(/\s+/g, '');
  const hex = compact.startsWith('0x') ? compact.slice(2) : compact;
  if (/^(?:[0-9a-fA-F]{2})+$/.test(hex)) return Uint8Array.fromHex(hex);
  return fromBase64(compact);
}

/** A byte string in one of the forms in which tools write it into JSON: hexadecimal, base64, one PEM block, or an array of numbers. */
export function jsonBytes(value: unknown, name: string): Uint8Array {
  const bytes = Array.isArray(value)
    ? fromNumbers(value)
    : typeof value === 'string'
      ? textBytes(pemText.exec(value)?.[1] ?? value)
      : undefined;
  if (bytes === undefined)
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      `evidence: bytes as hexadecimal, base64 or numbers expected in "${name}", something else found`,
    );
  return bytes;
}

/** Attacker-controlled JSON in bytes; undefined where they are none, or do not begin like an object or an array. */
export function looseJson(bytes: Uint8Array, limit: number): unknown {
  const start = bytes.subarray(0, 64).findIndex((byte) => byte > 0x20);
  const first = bytes[start];
  if (bytes.length > limit || (first !== 0x7b && first !== 0x5b)) return undefined;
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
