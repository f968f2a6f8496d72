import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { constants, zstdDecompressSync } from 'node:zlib';
import { utf8 } from '@ensconce/base/bytes';
import { release, spareOutput } from './caches.ts';
import { SealedLayerError } from './errors.ts';
import { formatName, method, purpose, viewOf, writeU64, type Purpose, type UnitRecord } from './format.ts';
import type { LayerKeys } from './keys.ts';

const algorithm = 'aes-256-gcm';
const windowLog = { [constants.ZSTD_d_windowLogMax]: 23 };

/**
 * Decompresses a unit's authenticated body (zstd, one frame) to exactly `plainLength` bytes, in a buffer of its own; throws
 * where the body says otherwise.
 */
export type Decompress = (body: Uint8Array, plainLength: number) => Uint8Array;

/** By Node's own zlib, which makes a new context for every unit. */
export const decompressByNode: Decompress = (body, plainLength) =>
  zstdDecompressSync(body, {
    chunkSize: plainLength + spareOutput,
    maxOutputLength: plainLength,
    params: windowLog,
  });

/** 64 bytes that say what a unit is and where it belongs; they enter the id, the nonce and the tag. */
function associatedData(
  kind: Purpose,
  index: number,
  unitMethod: number,
  storedLength: number,
  plainLength: number,
): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = viewOf(bytes);
  bytes.set(utf8(formatName), 0);
  view.setUint32(32, purpose[kind], true);
  view.setUint32(36, unitMethod, true);
  writeU64(view, 40, index);
  view.setUint32(48, storedLength, true);
  view.setUint32(52, plainLength, true);
  return bytes;
}

/**
 * Encrypts one unit. `body` is what is stored (compressed, or as it is). The nonce is the start of a keyed hash over
 * the associated data *and* the body: under one key two different messages never meet with one nonce, also where two
 * chunks have equal bytes (their places differ, so their nonces do: equal nonces with different associated data
 * would give away GCM's hash key).
 */
export function sealUnit(
  keys: LayerKeys,
  kind: Purpose,
  index: number,
  offset: number,
  unitMethod: number,
  plainLength: number,
  body: Uint8Array,
): { record: UnitRecord; stored: Uint8Array } {
  const aad = associatedData(kind, index, unitMethod, body.length, plainLength);
  const id = createHmac('sha256', keys.nonce).update(aad).update(body).digest();
  const cipher = createCipheriv(algorithm, keys.encryption, id.subarray(0, 12));
  cipher.setAAD(aad);
  const stored = cipher.update(body);
  cipher.final();
  const record = { offset, storedLength: body.length, method: unitMethod, id, tag: cipher.getAuthTag() };
  return { record, stored };
}

function damaged(what: string, kind: Purpose, index: number, cause?: unknown): SealedLayerError {
  return new SealedLayerError(
    'SEALED_DAMAGED',
    `${what}: ${kind} ${index}: authentic bytes expected, others found`,
    { cause, hint: 'the sealed layer was damaged or changed; pull the image again from a source you trust' },
  );
}

/**
 * Decrypts one unit from untrusted bytes and checks its tag: enough against whoever does not know the key. Gives the
 * body, compressed as it was stored; `stored` is left as it is.
 */
export function checkUnit(
  keys: LayerKeys,
  kind: Purpose,
  index: number,
  record: UnitRecord,
  plainLength: number,
  stored: Uint8Array,
  what: string,
): Uint8Array {
  const decipher = createDecipheriv(algorithm, keys.encryption, record.id.subarray(0, 12));
  decipher.setAAD(associatedData(kind, index, record.method, record.storedLength, plainLength));
  decipher.setAuthTag(record.tag);
  const body = decipher.update(stored);
  try {
    decipher.final();
  } catch (cause) {
    throw damaged(what, kind, index, cause);
  }
  return body;
}

/**
 * {@link checkUnit}, then compares the id and decompresses: what was sealed. GCM's tag alone does not commit whoever
 * knows the key to one content; the id, a collision-resistant hash, does.
 */
export function openUnit(
  keys: LayerKeys,
  kind: Purpose,
  index: number,
  record: UnitRecord,
  plainLength: number,
  stored: Uint8Array,
  what: string,
  decompress: Decompress = decompressByNode,
): Uint8Array {
  const body = checkUnit(keys, kind, index, record, plainLength, stored, what);
  const aad = associatedData(kind, index, record.method, record.storedLength, plainLength);
  if (!timingSafeEqual(createHmac('sha256', keys.nonce).update(aad).update(body).digest(), record.id))
    throw damaged(what, kind, index);
  if (record.method === method.raw) return body;
  try {
    const plain = decompress(body, plainLength);
    release(body);
    if (plain.length === plainLength) return plain;
  } catch (cause) {
    throw damaged(what, kind, index, cause);
  }
  throw damaged(what, kind, index);
}

/** Refuses a record that no writer makes, before anything is allocated or read for it. */
export function checkUnitRecord(
  record: UnitRecord,
  plainLength: number,
  fileSize: number,
  what: string,
): void {
  const rightLength =
    record.method === method.raw
      ? record.storedLength === plainLength
      : record.method === method.zstd && record.storedLength > 0 && record.storedLength < plainLength;
  if (!rightLength || record.offset + record.storedLength > fileSize)
    throw new SealedLayerError(
      'SEALED_STRUCTURE',
      `${what}: a place inside the file expected, another found`,
    );
}
