import { ByteReader, concatBytes, utf8 } from '@ensconce/base/bytes';
import type { AeadFactory } from './aead.ts';
import { nonceSize, tagSize } from './aead.ts';
import type { VolumeKeys } from './keys.ts';
import type { Position } from './segments.ts';

const magic = utf8('ENSCHEAD');
const plainSize = 8 + 8 + 4 + 4 + 32;
export const headSize = magic.length + 32 + plainSize + tagSize;

/** Where to begin reading: the frames of a checkpoint, and the tag of the state before it. */
export interface Head {
  readonly epoch: number;
  readonly sequence: number;
  readonly start: Position;
  readonly previous: Uint8Array;
}

/** One file per writer: a writer that was shut out cannot overwrite what its successor wrote. */
export function headName(epoch: number): string {
  return `head.${epoch.toString(16).padStart(14, '0')}`;
}

export function epochOfHead(name: string): number | undefined {
  const match = /^head\.([0-9a-f]{14})$/.exec(name);
  if (!match) return undefined;
  const epoch = Number.parseInt(match[1] as string, 16);
  return Number.isSafeInteger(epoch) ? epoch : undefined;
}

/** `salt`: 32 fresh random bytes for every head ever written; its key is used once. */
export function encodeHead(head: Head, keys: VolumeKeys, aead: AeadFactory, salt: Uint8Array): Uint8Array {
  const plain = new Uint8Array(plainSize);
  const view = new DataView(plain.buffer);
  view.setBigUint64(0, BigInt(head.epoch), true);
  view.setBigUint64(8, BigInt(head.sequence), true);
  view.setUint32(16, head.start.segment, true);
  view.setUint32(20, head.start.offset, true);
  plain.set(head.previous, 24);
  const sealed = new Uint8Array(plainSize + tagSize);
  const cipher = aead(keys.head(salt));
  cipher.seal(new Uint8Array(nonceSize), magic, plain, sealed);
  cipher.free();
  return concatBytes(magic, salt, sealed);
}

/** Undefined for anything that is not an authentic head of this volume. */
export function decodeHead(bytes: Uint8Array, keys: VolumeKeys, aead: AeadFactory): Head | undefined {
  if (bytes.length !== headSize || Buffer.compare(bytes.subarray(0, magic.length), magic) !== 0)
    return undefined;
  const cipher = aead(keys.head(bytes.subarray(magic.length, magic.length + 32)));
  const plain = new Uint8Array(plainSize);
  const authentic = cipher.open(new Uint8Array(nonceSize), magic, bytes.subarray(magic.length + 32), plain);
  cipher.free();
  if (!authentic) return undefined;
  const reader = new ByteReader(plain, 'head');
  return {
    epoch: Number(reader.u64('epoch')),
    sequence: Number(reader.u64('sequence')),
    start: { segment: reader.u32('segment'), offset: reader.u32('offset') },
    previous: reader.bytes(32, 'previous tag').slice(),
  };
}
