import { ByteReader } from '@ensconce/base/bytes';
import { getLocation, locationSize, putLocation } from './frame.ts';
import type { Location } from './frame.ts';

const rootAt = 8 + 8 + 8 + 32 + 4 + 32;
export const commitRecordSize = rootAt + locationSize;

/** What makes a state: the frame after everything that belongs to it (docs/formats/volume.md, "Commits"). */
export interface CommitRecord {
  readonly sequence: number;
  /** The epoch of the writer, granted by the keeper. */
  readonly epoch: number;
  /** The tag of the state before. */
  readonly previous: Uint8Array;
  /** How many of the journal frames right before this one belong to it, and `VolumeKeys.journalDigest` of their tags. */
  readonly journalFrames: number;
  readonly journalDigest: Uint8Array;
  /** The root of the tree, if this is a checkpoint: replay starts from it. */
  readonly root: Location | undefined;
}

const bytes = new Uint8Array(commitRecordSize);
const view = new DataView(bytes.buffer);

/** The bytes of a record, valid until the next call. */
export function encodeCommit(commit: CommitRecord): Uint8Array {
  bytes.fill(0, rootAt);
  view.setUint32(0, commit.root ? 1 : 0, true);
  view.setBigUint64(8, BigInt(commit.sequence), true);
  view.setBigUint64(16, BigInt(commit.epoch), true);
  bytes.set(commit.previous, 24);
  view.setUint32(56, commit.journalFrames, true);
  bytes.set(commit.journalDigest, 60);
  if (commit.root) putLocation(bytes, rootAt, commit.root);
  return bytes;
}

/** Undefined for anything that is not a record of this version. */
export function decodeCommit(bytes: Uint8Array): CommitRecord | undefined {
  if (bytes.length !== commitRecordSize) return undefined;
  const reader = new ByteReader(bytes, 'commit record');
  const kind = reader.u32('kind');
  const reserved = reader.u32('reserved');
  const sequence = Number(reader.u64('sequence'));
  const epoch = Number(reader.u64('epoch'));
  if (kind > 1 || reserved !== 0 || !Number.isSafeInteger(sequence) || !Number.isSafeInteger(epoch))
    return undefined;
  const previous = reader.bytes(32, 'previous tag').slice();
  const journalFrames = reader.u32('journal frames');
  const journalDigest = reader.bytes(32, 'journal digest').slice();
  return {
    sequence,
    epoch,
    previous,
    journalFrames,
    journalDigest,
    root: kind === 1 ? getLocation(bytes, rootAt) : undefined,
  };
}
