import { createHash } from 'node:crypto';
import { encodeFields } from '@ensconce/base/fields';
import { equalBytes, toHex, utf8 } from '@ensconce/base/bytes';
import { SealedLayerError } from './errors.ts';

// Sizes and layouts of docs/formats/sealed-layer.md; all integers are little-endian.

export const formatName = 'ensconce-sealed-layer/1';
export const headerSize = 256;
export const chunkSize = 131_072;
export const pageSize = 65_536;
/** The index has at most so many pages (4 GiB), so the table of pages, which the reader holds, at most 4 MiB. */
export const maxPages = 65_536;
export const summarySize = 128;
/** Length of the record that describes a chunk or a page. */
export const unitRecordSize = 64;
export const inodeSize = 64;
export const entrySize = 16;
export const extentSize = 16;
export const regionAlignment = 64;
export const maxNameLength = 255;
export const maxTargetLength = 4095;
export const maxXattrBytes = 1_048_576;

export const method = { raw: 0, zstd: 1 } as const;
export const purpose = { chunk: 1, page: 2, table: 3 } as const;
export type Purpose = keyof typeof purpose;

/** Values of the `kind` field: `S_IFMT` of Linux, shifted right by 12; 15 marks a whiteout entry, which has no inode. */
export const kindCode = {
  fifo: 1,
  character: 2,
  directory: 4,
  block: 6,
  file: 8,
  symlink: 10,
  socket: 12,
} as const;
export const whiteoutCode = 15;
export const noInode = 0xffff_ffff;

export const inodeFlag = {
  /** Directory: hides everything of the same path in lower layers. */
  opaque: 1,
  /** Directory that the layer does not list itself: its attributes are those of a lower layer, where there is one. */
  implicit: 2,
  /** File without holes: its bytes stand in the stream in one piece. */
  contiguous: 4,
} as const;

const magic = utf8('ENSCONCE-SEALED\n');

/** Where a unit (chunk, page or the table) stands and what proves it. */
export interface UnitRecord {
  readonly offset: number;
  readonly storedLength: number;
  readonly method: number;
  /** 32 bytes: keyed hash of what was encrypted; the first 12 are the nonce. */
  readonly id: Uint8Array;
  /** 16 bytes: the tag of AES-256-GCM. */
  readonly tag: Uint8Array;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads a u64 that must be a safe integer. */
export function readU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  if (high > 0x1f_ffff) {
    throw new SealedLayerError(
      'SEALED_STRUCTURE',
      'sealed layer: a number below 2⁵³ expected, a larger one found',
    );
  }
  return high * 0x1_0000_0000 + view.getUint32(at, true);
}

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function encodeUnitRecord(record: UnitRecord, into: Uint8Array, at: number): void {
  const view = viewOf(into);
  writeU64(view, at, record.offset);
  view.setUint32(at + 8, record.storedLength, true);
  view.setUint32(at + 12, record.method, true);
  into.set(record.id, at + 16);
  into.set(record.tag, at + 48);
}

/** `bytes` must hold 64 bytes from `at`. `id` and `tag` are views. */
export function decodeUnitRecord(bytes: Uint8Array, at: number): UnitRecord {
  const view = viewOf(bytes);
  return {
    offset: readU64(view, at),
    storedLength: view.getUint32(at + 8, true),
    method: view.getUint32(at + 12, true),
    id: bytes.subarray(at + 16, at + 48),
    tag: bytes.subarray(at + 48, at + 64),
  };
}

export interface Header {
  readonly keyCommitment: Uint8Array;
  readonly fileSize: number;
  readonly table: UnitRecord;
  readonly tableLength: number;
}

export function encodeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(headerSize);
  const view = viewOf(bytes);
  bytes.set(magic, 0);
  view.setUint16(16, 1, true);
  view.setUint16(18, headerSize, true);
  view.setUint32(20, 0, true);
  view.setUint32(24, chunkSize, true);
  view.setUint32(28, pageSize, true);
  bytes.set(header.keyCommitment, 32);
  writeU64(view, 64, header.fileSize);
  view.setUint32(72, header.tableLength, true);
  encodeUnitRecord(header.table, bytes, 80);
  return bytes;
}

/** Reads a header from untrusted bytes; what it says is authentic only once {@link rootOf} was compared. */
export function parseHeader(bytes: Uint8Array, what: string): Header {
  if (bytes.length !== headerSize || !equalBytes(bytes.subarray(0, 16), magic)) {
    throw new SealedLayerError(
      'SEALED_HEADER',
      `${what}: the header of a sealed layer expected, other bytes found`,
      {
        hint: 'the file is no sealed layer, or was damaged or replaced',
      },
    );
  }
  const view = viewOf(bytes);
  const version = view.getUint16(16, true);
  if (version !== 1) {
    throw new SealedLayerError('SEALED_VERSION', `${what}: format version 1 expected, ${version} found`, {
      hint: 'use a runtime of the release that made the image, or newer',
    });
  }
  const flags = view.getUint32(20, true);
  if (flags !== 0) {
    throw new SealedLayerError(
      'SEALED_FEATURE',
      `${what}: no feature flags expected, 0x${flags.toString(16)} found`,
      { hint: 'use a runtime of the release that made the image, or newer' },
    );
  }
  const sizes = [view.getUint16(18, true), view.getUint32(24, true), view.getUint32(28, true)];
  if (sizes[0] !== headerSize || sizes[1] !== chunkSize || sizes[2] !== pageSize) {
    throw new SealedLayerError(
      'SEALED_HEADER',
      `${what}: header, chunk and page sizes ${headerSize}, ${chunkSize}, ${pageSize} expected, ${sizes.join(', ')} found`,
    );
  }
  if (view.getUint32(76, true) !== 0 || bytes.subarray(144).some((byte) => byte !== 0)) {
    throw new SealedLayerError(
      'SEALED_HEADER',
      `${what}: zero in the reserved fields of the header expected`,
    );
  }
  return {
    keyCommitment: bytes.subarray(32, 64),
    fileSize: readU64(view, 64),
    tableLength: view.getUint32(72, true),
    table: decodeUnitRecord(bytes, 80),
  };
}

/** The root, hex: a hash of the header, which commits to the key and to everything behind it. */
export function rootOf(header: Uint8Array): string {
  return toHex(
    createHash('sha256')
      .update(encodeFields(`${formatName} root`, [header]))
      .digest(),
  );
}

/** What the table says about the index: how many records each region has. */
export interface Summary {
  readonly nodes: number;
  readonly entries: number;
  readonly extents: number;
  readonly chunks: number;
  readonly heapLength: number;
  readonly streamLength: number;
  readonly totalBytes: number;
}

/** Byte offsets of the regions of the index, in the order in which they stand. */
export interface Regions {
  readonly entries: number;
  readonly extents: number;
  readonly chunks: number;
  readonly heap: number;
  readonly end: number;
}

const align = (offset: number) => Math.ceil(offset / regionAlignment) * regionAlignment;

export function regionsOf(summary: Summary): Regions {
  const entries = summary.nodes * inodeSize;
  const extents = align(entries + summary.entries * entrySize);
  const chunks = align(extents + summary.extents * extentSize);
  const heap = chunks + summary.chunks * unitRecordSize;
  return { entries, extents, chunks, heap, end: heap + summary.heapLength };
}

export function encodeSummary(summary: Summary, pages: number, into: Uint8Array): void {
  const view = viewOf(into);
  view.setUint32(0, summary.nodes, true);
  view.setUint32(4, pages, true);
  writeU64(view, 8, summary.entries);
  writeU64(view, 16, summary.extents);
  writeU64(view, 24, summary.chunks);
  writeU64(view, 32, summary.heapLength);
  writeU64(view, 40, summary.streamLength);
  writeU64(view, 48, summary.totalBytes);
}

/** Reads the summary from the authentic table and holds its counts against each other. */
export function parseSummary(
  table: Uint8Array,
  what: string,
): { summary: Summary; regions: Regions; pages: number } {
  const view = viewOf(table);
  const pages = view.getUint32(4, true);
  const summary: Summary = {
    nodes: view.getUint32(0, true),
    entries: readU64(view, 8),
    extents: readU64(view, 16),
    chunks: readU64(view, 24),
    heapLength: readU64(view, 32),
    streamLength: readU64(view, 40),
    totalBytes: readU64(view, 48),
  };
  const regions = regionsOf(summary);
  const consistent =
    summary.nodes >= 1 &&
    pages >= 1 &&
    pages <= maxPages &&
    table.length === summarySize + pages * unitRecordSize &&
    pages === Math.ceil(regions.end / pageSize) &&
    summary.chunks === Math.ceil(summary.streamLength / chunkSize) &&
    table.subarray(56, summarySize).every((byte) => byte === 0);
  if (!consistent)
    throw new SealedLayerError('SEALED_STRUCTURE', `${what}: counts that agree expected in the table`);
  return { summary, regions, pages };
}
