import { createHmac, timingSafeEqual } from 'node:crypto';
import { ByteReader, concatBytes, utf8 } from '@ensconce/base/bytes';
import { nodeAead, nonceSize, tagSize } from './aead.ts';
import { VolumeError } from './errors.ts';
import { hkdf } from './keys.ts';

export const headerFile = 'volume';
export const headerSize = 8 + 2 + 2 + 4 + 16 + 32 + 48 + 32;
export const formatVersion = 1;
/** Feature flags that this program knows: none so far. */
const knownFlags = 0;

const magic = utf8('ENSCVOL\n');

export interface Header {
  /** 16 bytes, random, for ever the same. */
  readonly volumeId: Uint8Array;
  /** 32 bytes: all other keys come from it. Never leaves the process. */
  readonly master: Uint8Array;
}

function keysOf(volumeKey: Uint8Array, salt: Uint8Array): { seal: Uint8Array; authenticate: Uint8Array } {
  const both = hkdf(volumeKey, salt, 'ensconce volume header v1', 64);
  return { seal: both.subarray(0, 32), authenticate: both.subarray(32) };
}

/**
 * The header file of a volume (docs/formats/volume.md): the master key sealed under `volumeKey`, so that a change of
 * the volume key rewrites nothing else. `salt` is 32 fresh random bytes for every header ever made.
 */
export function encodeHeader(header: Header, volumeKey: Uint8Array, salt: Uint8Array): Uint8Array {
  if (volumeKey.length !== 32) throw new RangeError(`a volume key has 32 bytes, not ${volumeKey.length}`);
  const { seal, authenticate } = keysOf(volumeKey, salt);
  const fixed = new Uint8Array(8);
  const view = new DataView(fixed.buffer);
  view.setUint16(0, formatVersion, true);
  view.setUint32(4, knownFlags, true);
  const sealed = new Uint8Array(32 + tagSize);
  // The nonce is fixed because the salt makes the key fresh.
  nodeAead(seal).seal(new Uint8Array(nonceSize), magic, header.master, sealed);
  const body = concatBytes(magic, fixed, header.volumeId, salt, sealed);
  return concatBytes(body, createHmac('sha256', authenticate).update(body).digest());
}

/**
 * Reads a header from the untrusted directory.
 *
 * @throws VolumeError `VOLUME_FORMAT` or `VOLUME_KEY`
 */
export function decodeHeader(bytes: Uint8Array, volumeKey: Uint8Array): Header {
  const { version, flags, volumeId, salt, sealed, mac, body } = readHeader(bytes);
  if (version !== formatVersion)
    throw new VolumeError(
      'VOLUME_FORMAT',
      `volume: format version ${formatVersion} expected, ${version} found`,
      {
        hint: 'use a release that knows this version',
      },
    );
  if ((flags & ~knownFlags) !== 0)
    throw new VolumeError(
      'VOLUME_FORMAT',
      `volume: no unknown feature flags expected, 0x${(flags & ~knownFlags).toString(16)} found`,
      { hint: 'use a release that knows these features' },
    );
  const { seal, authenticate } = keysOf(volumeKey, salt);
  const expected = createHmac('sha256', authenticate).update(body).digest();
  const master = new Uint8Array(32);
  if (
    !timingSafeEqual(expected, mac) ||
    !nodeAead(seal).open(new Uint8Array(nonceSize), magic, sealed, master)
  )
    throw new VolumeError(
      'VOLUME_KEY',
      'volume: a header sealed with this volume key expected, another found',
      {
        hint: 'give the key of this volume; a header that was changed looks the same',
      },
    );
  return { volumeId: Uint8Array.from(volumeId), master };
}

/** What anybody can read of a header. */
export function readHeader(bytes: Uint8Array): {
  version: number;
  flags: number;
  volumeId: Uint8Array;
  salt: Uint8Array;
  sealed: Uint8Array;
  mac: Uint8Array;
  body: Uint8Array;
} {
  if (bytes.length !== headerSize)
    throw new VolumeError(
      'VOLUME_FORMAT',
      `volume: a header of ${headerSize} bytes expected, ${bytes.length} found`,
    );
  const reader = new ByteReader(bytes, 'volume header');
  if (Buffer.compare(reader.bytes(8, 'magic'), magic) !== 0)
    throw new VolumeError(
      'VOLUME_FORMAT',
      'volume: a header that begins with ENSCVOL expected, something else found',
      {
        hint: 'name the directory of a volume',
      },
    );
  const version = reader.u16('version');
  reader.u16('reserved');
  const flags = reader.u32('flags');
  const volumeId = reader.bytes(16, 'volume id');
  const salt = reader.bytes(32, 'salt');
  const sealed = reader.bytes(48, 'master key');
  const body = bytes.subarray(0, reader.offset);
  const mac = reader.bytes(32, 'authenticator');
  reader.end();
  return { version, flags, volumeId, salt, sealed, mac, body };
}
