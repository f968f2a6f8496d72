import { concatBytes, equalBytes, utf8 } from '@ensconce/base/bytes';
import type { Aead, AeadFactory } from './aead.ts';
import { nonceSize, tagSize } from './aead.ts';
import { blockBytes } from './backing.ts';
import type { Backing, BackingFile } from './backing.ts';
import { VolumeError } from './errors.ts';
import {
  frameHeaderSize,
  frameOverhead,
  frameType,
  linkSize,
  longestFrame,
  segmentHeaderSize,
  segmentName,
  segmentSizeOn,
} from './frame.ts';
import type { Location } from './frame.ts';
import type { VolumeKeys } from './keys.ts';
import { Spares } from './spares.ts';

const magic = utf8('ENSCSEG\n');

/** Where a frame starts. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

interface OpenSegment {
  readonly file: BackingFile;
  readonly aead: Aead;
}

interface WriteSegment extends OpenSegment {
  readonly number: number;
  readonly header: Uint8Array;
  /** Where the buffer begins: at a block. What it holds of bytes that are in the file saves reading them there. */
  base: number;
  /** Everything before this offset is in the file. */
  flushed: number;
  /** Where the next frame goes. */
  end: number;
  /** Everything before this offset is durable. */
  durable: number;
  /** Up to here the file holds bytes already: zeros that were written ahead, or what an earlier segment left. */
  reserved: number;
  /** Small flushes in a row. */
  small: number;
}

export interface SegmentsOptions {
  readonly backing: Backing;
  readonly keys: VolumeKeys;
  readonly aead: AeadFactory;
  readonly random: (size: number) => Uint8Array;
  /** `segmentSizeOn` this directory unless given. */
  readonly segmentSize?: number;
}

const bufferSize = 1024 * 1024;
const openSegments = 128;
/** After so many flushes of less than so many bytes, zeros are written so far ahead. */
const smallFlushes = 8;
const smallFlush = 512 * 1024;
const ahead = 2 * 1024 * 1024;
/** A write of at least so many bytes is part of a stream: the disk begins with it at once. */
const streamed = 512 * 1024;
/** Frames that follow each other are read together, up to so many bytes. */
const windowSize = 256 * 1024;

/**
 * The log of a volume: files of sealed frames, each written once, front to back. A frame is sealed under the key of
 * its segment with its offset as the nonce; as the offset only ever grows, no nonce comes twice.
 */
export class Segments {
  readonly #options: SegmentsOptions;
  /** Bytes before which segments end, known when one is made. */
  #limit: number;
  readonly #open = new Map<number, OpenSegment>();
  readonly #nonce = new Uint8Array(nonceSize);
  readonly #nonceView = new DataView(this.#nonce.buffer);
  readonly #header = new Uint8Array(frameHeaderSize);
  readonly #headerView = new DataView(this.#header.buffer);
  /** Sealed bytes of the current segment, and zeros up to the end of a block behind them while they are written. */
  readonly #buffer: Uint8Array;
  #zeros: Uint8Array | undefined;
  readonly #scratch = new Uint8Array(longestFrame + frameOverhead);
  readonly #unsynced = new Set<OpenSegment>();
  /** Sealed bytes of a segment's file, which never change; as untrusted as the file. */
  readonly #window = new Uint8Array(windowSize);
  #windowSegment = 0;
  #windowStart = 0;
  #windowEnd = 0;
  /** Where the last frame that was read ends. */
  #readSegment = 0;
  #readEnd = 0;
  #current: WriteSegment | undefined;
  readonly #spares: Spares;
  /** Made for when the current one is full. */
  #following: WriteSegment | undefined;
  #namesChanged = false;
  /** The number to try for the next new segment. */
  next = 1;
  /** Where the last appended frame is. */
  lastSegment = 0;
  lastOffset = 0;
  readonly lastTag = new Uint8Array(tagSize);

  constructor(options: SegmentsOptions) {
    this.#options = options;
    this.#spares = new Spares(options.backing);
    this.#buffer = this.#memory(bufferSize + longestFrame + 4 * frameOverhead + 2 * blockBytes);
    this.#limit = options.segmentSize ?? 0;
  }

  #memory(size: number): Uint8Array {
    return this.#options.backing.blockMemory?.(size) ?? new Uint8Array(size);
  }

  /** The segment that is being written to, which must not be removed. */
  get current(): number | undefined {
    return this.#current?.number;
  }

  /** Where the next frame would go, in a segment that is open for writing. */
  get position(): Position {
    const current = this.#writable();
    return { segment: current.number, offset: current.end };
  }

  #setNonce(offset: number, type: number, length: number): void {
    this.#nonceView.setUint32(0, offset, true);
    this.#headerView.setUint32(0, length, true);
    this.#header[4] = type;
  }

  /** Makes the file of a new segment. Its header goes to the buffer when the segment becomes the current one. */
  #create(): WriteSegment {
    const { backing, keys, aead, random } = this.#options;
    this.#limit ||= segmentSizeOn(backing.space().total);
    const salt = random(32);
    for (;;) {
      const number = this.next++;
      let file: BackingFile;
      let reserved = 0;
      try {
        const spare = this.#spares.take(segmentName(number));
        reserved = spare ? blockStart(spare.size()) : 0;
        file = spare ?? backing.create(segmentName(number));
      } catch (error) {
        // Left by a crash, or another writer's: never touched.
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
        throw error;
      }
      const header = new Uint8Array(segmentHeaderSize);
      header.set(magic, 0);
      header.set(keys.volumeId, 8);
      new DataView(header.buffer).setUint32(24, number, true);
      header.set(salt, 32);
      this.#namesChanged = true;
      const segment = { file, aead: aead(keys.segment(salt, number)) };
      this.#remember(number, segment);
      this.#unsynced.add(segment);
      return {
        ...segment,
        number,
        header,
        base: 0,
        flushed: 0,
        end: segmentHeaderSize,
        durable: 0,
        reserved,
        small: 0,
      };
    }
  }

  /** Gives back the room that is kept for new segments; false where there is none. */
  removeSpares(): boolean {
    return this.#spares.remove();
  }

  #remember(number: number, segment: OpenSegment): void {
    this.#open.set(number, segment);
    if (this.#open.size <= openSegments) return;
    for (const [old, { file, aead }] of this.#open) {
      const kept = this.#open.get(old) as OpenSegment;
      if (old === number || old === this.#current?.number || this.#unsynced.has(kept)) continue;
      this.#open.delete(old);
      aead.free();
      file.close();
      return;
    }
  }

  /**
   * Seals `plain` as the next frame; `lastSegment`, `lastOffset` and `lastTag` then say where it is. What it throws of
   * the backing directory (ENOSPC) it throws before anything was sealed.
   */
  append(type: number, plain: Uint8Array): void {
    if (plain.length > longestFrame) throw new RangeError(`a frame of ${plain.length} bytes`);
    const size = plain.length + frameOverhead;
    let current = this.#writable();
    if (current.end + size + linkSize + frameOverhead > this.#limit) current = this.#roll(current);
    else if (current.end - current.base + size > bufferSize) this.#makeRoom(current);
    this.#seal(current, type, plain);
  }

  #writable(): WriteSegment {
    return (this.#current ??= this.#begin(this.#create()));
  }

  #begin(segment: WriteSegment): WriteSegment {
    this.#buffer.set(segment.header);
    return segment;
  }

  /** What is left of the buffer goes to its beginning, and to the file what it is too full of. */
  #makeRoom(segment: WriteSegment): void {
    if (segment.end - segment.flushed > bufferSize / 2) this.#write(segment);
    const base = blockStart(segment.flushed);
    this.#buffer.copyWithin(0, base - segment.base, segment.end - segment.base);
    segment.base = base;
  }

  /** Has the next frame begin a new segment. */
  startNew(): void {
    if (this.#current) this.#roll(this.#current);
  }

  /** Goes on in a new segment; the old one ends with a link to it. After a failure the same is tried again. */
  #roll(old: WriteSegment): WriteSegment {
    this.#write(old);
    const fresh = (this.#following ??= this.#create());
    const link = new Uint8Array(linkSize);
    new DataView(link.buffer).setUint32(0, fresh.number, true);
    const end = old.end;
    this.#seal(old, frameType.link, link);
    try {
      this.#write(old);
    } catch (error) {
      // The same link will be sealed at the same place again: the same bytes, not another message under its nonce.
      old.end = end;
      throw error;
    }
    this.#following = undefined;
    return (this.#current = this.#begin(fresh));
  }

  #seal(segment: WriteSegment, type: number, plain: Uint8Array): void {
    const at = segment.end - segment.base;
    const body = at + frameHeaderSize;
    this.#setNonce(segment.end, type, plain.length);
    this.#buffer.set(this.#header, at);
    const end = body + plain.length + tagSize;
    segment.aead.seal(this.#nonce, this.#header, plain, this.#buffer.subarray(body, end));
    for (let i = 0; i < tagSize; i++) this.lastTag[i] = this.#buffer[end - tagSize + i] as number;
    this.lastSegment = segment.number;
    this.lastOffset = segment.end;
    segment.end += plain.length + frameOverhead;
  }

  /**
   * Hands what was appended to the file. From the block on in which it begins, whose old bytes are written again: it would
   * have to be read before a part of it could be written.
   */
  #write(segment: WriteSegment): void {
    const { file, base, flushed, end } = segment;
    if (end === flushed) return;
    const from = blockStart(flushed);
    file.write(from, this.#buffer, from - base, end - from);
    // The disk takes a stream while more of it comes.
    if (end - flushed >= streamed) file.startWriteback?.(flushed, end - flushed);
    this.#written(segment);
  }

  #written(segment: WriteSegment): void {
    segment.flushed = segment.end;
    const open = this.#open.get(segment.number);
    if (open) this.#unsynced.add(open);
  }

  /**
   * Hands everything that was appended to the backing directory, as it is made durable next: in whole blocks, with zeros
   * behind the end. After a failure the same bytes are tried again.
   */
  flush(): void {
    const segment = this.#current;
    if (!segment || segment.end === segment.flushed) return;
    const { file, base, flushed, end } = segment;
    const from = blockStart(flushed);
    const to = blockEnd(end);
    this.#buffer.fill(0, end - base, to - base);
    writeBlocks(file, from, this.#buffer, from - base, to - from);
    this.#written(segment);
  }

  /** Makes everything that was appended durable. */
  sync(): void {
    if (this.#current) this.#writeAhead(this.#current);
    this.flush();
    for (const segment of this.#unsynced) segment.file.sync();
    this.#unsynced.clear();
    if (this.#current) this.#current.durable = this.#current.end;
    if (this.#namesChanged) this.#options.backing.syncNames();
    this.#namesChanged = false;
  }

  /**
   * Whoever flushes often writes over zeros instead of making the file longer: a longer file costs the backing file
   * system a commit of its own journal at each flush.
   */
  #writeAhead(segment: WriteSegment): void {
    segment.small = segment.end - segment.durable < smallFlush ? segment.small + 1 : 0;
    if (segment.small < smallFlushes || segment.end <= segment.reserved) return;
    const from = blockEnd(segment.end);
    const length = blockStart(Math.min(ahead, this.#limit - from));
    if (length <= 0) return;
    try {
      writeBlocks(segment.file, from, (this.#zeros ??= this.#memory(ahead)), 0, length);
      segment.reserved = from + length;
    } catch {
      // No room: it goes without.
      segment.reserved = Infinity;
    }
  }

  #segment(number: number): OpenSegment {
    const known = this.#open.get(number);
    if (known) return known;
    const { backing, keys, aead } = this.#options;
    let file: BackingFile;
    try {
      file = backing.open(segmentName(number));
    } catch (cause) {
      throw missing(number, cause);
    }
    const header = new Uint8Array(segmentHeaderSize);
    const expected = concatBytes(magic, keys.volumeId, new Uint8Array(4));
    new DataView(expected.buffer).setUint32(24, number, true);
    if (
      file.read(0, header, 0, segmentHeaderSize) !== segmentHeaderSize ||
      !equalBytes(header.subarray(0, 28), expected)
    ) {
      file.close();
      throw new VolumeError(
        'VOLUME_DAMAGED',
        `${segmentName(number)}: the header of this segment expected, something else found`,
      );
    }
    const segment = { file, aead: aead(keys.segment(header.subarray(32), number)) };
    this.#remember(number, segment);
    return segment;
  }

  /** Size of a segment's file; of the current one the bytes that were appended. */
  size(number: number): number {
    if (this.#current?.number === number) return this.#current.end;
    return this.#segment(number).file.size();
  }

  /** The sealed bytes (header, ciphertext, tag) of a frame, from the buffer as long as they are there. */
  #sealed(number: number, offset: number, size: number, into: Uint8Array): boolean {
    const current = this.#current;
    if (current && current.number === number && offset >= current.base) {
      const at = offset - current.base;
      if (offset + size > current.end) return false;
      into.set(this.#buffer.subarray(at, at + size));
      return true;
    }
    return this.#segment(number).file.read(offset, into, 0, size) === size;
  }

  /** The sealed bytes of a frame, valid until the next call; undefined where there are fewer. */
  #sealedView(number: number, offset: number, size: number, later: number): Uint8Array | undefined {
    const sequential = number === this.#readSegment && offset === this.#readEnd;
    this.#readSegment = number;
    this.#readEnd = offset + size;
    const within = (): boolean =>
      number === this.#windowSegment && offset >= this.#windowStart && offset + size <= this.#windowEnd;
    if (!within() && sequential && later > 0) {
      const end = this.#current?.number === number ? this.#current.flushed : Infinity;
      const length = Math.min(size + later, windowSize, end - offset);
      if (length >= size) {
        this.#windowSegment = number;
        this.#windowStart = offset;
        this.#windowEnd = offset + this.#segment(number).file.read(offset, this.#window, 0, length);
      }
    }
    if (within()) return this.#window.subarray(offset - this.#windowStart, offset - this.#windowStart + size);
    const sealed = this.#scratch.subarray(0, size);
    return this.#sealed(number, offset, size, sealed) ? sealed : undefined;
  }

  /**
   * Opens a frame into `out`. `tag` is what the frame's parent says; without it any authentic frame of this type and
   * length at this place is accepted, as for the records that are chained by themselves. `later` says how many bytes of
   * the segment after it are probably wanted next.
   *
   * @throws VolumeError `VOLUME_DAMAGED` or `VOLUME_MISSING`
   */
  read(
    type: number,
    segment: number,
    offset: number,
    length: number,
    tag: Uint8Array | undefined,
    out: Uint8Array,
    later = 0,
  ): void {
    if (!this.#tryRead(type, segment, offset, length, tag, out, later)) {
      this.#expectNamed(segment);
      throw new VolumeError(
        'VOLUME_DAMAGED',
        `${segmentName(segment)}: the frame that was written at offset ${offset} expected, something else found`,
      );
    }
  }

  /** A file that is open may have become another segment since: its writer needs this one no more. */
  #expectNamed(number: number): void {
    try {
      this.#options.backing.open(segmentName(number)).close();
    } catch (cause) {
      throw missing(number, cause);
    }
  }

  /** The frame as it is sealed, valid until the next call, once it was opened into `out`. */
  #tryRead(
    type: number,
    segment: number,
    offset: number,
    length: number,
    tag: Uint8Array | undefined,
    out: Uint8Array,
    later: number,
  ): Uint8Array | undefined {
    if (length > longestFrame || offset < segmentHeaderSize) return undefined;
    const size = length + frameOverhead;
    const sealed = this.#sealedView(segment, offset, size, later);
    if (!sealed) return undefined;
    this.#setNonce(offset, type, length);
    for (let i = 0; i < frameHeaderSize; i++) if (sealed[i] !== this.#header[i]) return undefined;
    if (tag)
      for (let i = 0, at = size - tagSize; i < tagSize; i++) if (sealed[at + i] !== tag[i]) return undefined;
    const body = sealed.subarray(frameHeaderSize);
    return this.#segment(segment).aead.open(this.#nonce, this.#header, body, out) ? sealed : undefined;
  }

  readLocation(type: number, location: Location, out: Uint8Array): void {
    this.read(type, location.segment, location.offset, location.length, location.tag, out);
  }

  /** Type and length that the header of the frame at `offset` claims (untrusted); undefined at the end of the segment. */
  peek(segment: number, offset: number): { type: number; length: number } | undefined {
    const header = this.#scratch.subarray(0, frameHeaderSize);
    if (!this.#sealed(segment, offset, frameHeaderSize, header)) return undefined;
    const view = new DataView(header.buffer, header.byteOffset);
    const length = view.getUint32(0, true);
    const type = header[4] as number;
    return length > longestFrame || type < frameType.unit || type > frameType.link
      ? undefined
      : { type, length };
  }

  /** The plaintext of the frame at `offset` if it is authentic; its tag is then in `lastTag`. */
  openAt(segment: number, offset: number, type: number, length: number): Uint8Array | undefined {
    const out = new Uint8Array(length);
    // Recovery reads segments that another writer may still write to: nothing is read ahead.
    const sealed = this.#tryRead(type, segment, offset, length, undefined, out, 0);
    if (!sealed) return undefined;
    this.lastTag.set(sealed.subarray(-tagSize));
    return out;
  }

  /** Removes a segment that nothing refers to any more. */
  remove(number: number): void {
    const name = segmentName(number);
    if (this.#spares.has(name)) return;
    const known = this.#open.get(number);
    if (known) {
      this.#open.delete(number);
      this.#unsynced.delete(known);
      known.aead.free();
      // Before a segment was made, how long they may be is not known.
      if (this.#current && this.#spares.keep(name, known.file, this.#limit)) return;
      known.file.close();
    }
    this.#options.backing.remove(name);
  }

  close(): void {
    this.#spares.remove();
    for (const { file, aead } of this.#open.values()) {
      aead.free();
      file.close();
    }
    this.#open.clear();
    this.#unsynced.clear();
    this.#current = undefined;
  }
}

function missing(number: number, cause: unknown): VolumeError {
  return new VolumeError(
    'VOLUME_MISSING',
    `${segmentName(number)}: a segment expected, none could be opened`,
    { cause },
  );
}

function blockStart(offset: number): number {
  return offset - (offset % blockBytes);
}

function blockEnd(offset: number): number {
  return blockStart(offset + blockBytes - 1);
}

function writeBlocks(
  file: BackingFile,
  position: number,
  from: Uint8Array,
  at: number,
  length: number,
): void {
  if (file.writeBlocks) file.writeBlocks(position, from, at, length);
  else file.write(position, from, at, length);
}
