import { tagSize } from './aead.ts';

/** Sizes and numbers of docs/formats/volume.md, "Segments". */
export const frameType = { unit: 1, page: 2, journal: 3, commit: 4, link: 5 } as const;

export const frameHeaderSize = 8;
export const frameOverhead = frameHeaderSize + tagSize;
/** Longest plaintext of a frame. */
export const longestFrame = 64 * 1024;
export const segmentHeaderSize = 64;
/** A segment ends before this many bytes: at most 2²¹ frames, and so at most 2²¹ messages, under its key. */
const segmentSize = 64 * 1024 * 1024;
const smallestLimit = 8 * 1024 * 1024;
export const linkSize = 4;
export const smallestSegment = segmentHeaderSize + frameOverhead + linkSize;

/**
 * Before how many bytes a segment ends in a directory of `total` bytes: what one segment holds has to find room elsewhere before the
 * segment can go, also where the directory is full.
 */
export function segmentSizeOn(total: number): number {
  return Math.min(segmentSize, Math.max(smallestLimit, Math.floor(total / 256)));
}

/** Where a frame is and what it must be: its parent holds this, up to the root. */
export interface Location {
  readonly segment: number;
  readonly offset: number;
  /** Bytes of plaintext. */
  readonly length: number;
  readonly tag: Uint8Array;
}

/** Size of a location where it is stored: segment, offset, length as u32 and the tag. */
export const locationSize = 12 + tagSize;

export function putLocation(bytes: Uint8Array, at: number, location: Location): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(at, location.segment, true);
  view.setUint32(at + 4, location.offset, true);
  view.setUint32(at + 8, location.length, true);
  bytes.set(location.tag, at + 12);
}

export function getLocation(bytes: Uint8Array, at: number): Location {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    segment: view.getUint32(at, true),
    offset: view.getUint32(at + 4, true),
    length: view.getUint32(at + 8, true),
    tag: bytes.slice(at + 12, at + locationSize),
  };
}

export function segmentName(segment: number): string {
  return `${segment.toString(16).padStart(8, '0')}.segment`;
}

/** The number in a segment's file name; undefined for any other name. */
export function segmentOfName(name: string): number | undefined {
  const match = /^([0-9a-f]{8})\.segment$/.exec(name);
  return match ? Number.parseInt(match[1] as string, 16) : undefined;
}
