import { isZero } from '@ensconce/base/bytes';
import type { AeadFactory } from './aead.ts';
import type { Backing } from './backing.ts';
import type { Digests } from './digests.ts';
import { encodeCommit } from './commit-record.ts';
import { VolumeError } from './errors.ts';
import { frameOverhead, frameType, longestFrame, segmentOfName } from './frame.ts';
import type { Location } from './frame.ts';
import { encodeHead, epochOfHead, headName } from './head.ts';
import type { Head } from './head.ts';
import { encodeHeader, headerFile } from './header.ts';
import { JournalWriter } from './journal.ts';
import { VolumeKeys } from './keys.ts';
import { Page, pageHeaderSize } from './page.ts';
import { pageCapacity } from './page-memory.ts';
import type { PageMemory } from './page-memory.ts';
import { findChain } from './recovery.ts';
import type { Chain, Found } from './recovery.ts';
import { replay } from './replay.ts';
import { Segments } from './segments.ts';
import type { Position } from './segments.ts';
import { Settlement } from './settlement.ts';
import type { Durability } from './settlement.ts';
import { anyEpoch } from './tag-keeper.ts';
import { StateTag } from './state-tag.ts';
import type { TagKeeper } from './tag-keeper.ts';
import { SegmentUsage } from './segment-usage.ts';
import { Tree } from './tree.ts';
import { readVolumeHeader } from './volume-header.ts';

export interface VolumeOptions {
  readonly backing: Backing;
  /** 32 bytes. */
  readonly volumeKey: Uint8Array;
  readonly keeper: TagKeeper;
  readonly aead: AeadFactory;
  /** Those of node:crypto unless given. */
  readonly digests?: Digests;
  readonly random: (size: number) => Uint8Array;
  readonly log: (line: string) => void;
  /** When those who wait for a commit are told; `settled` unless given. */
  readonly durability?: Durability;
  /** Milliseconds, monotonic: all but `settled` need it to hold their window. */
  readonly clock?: () => number;
  /** Smaller than the format's in tests only. */
  readonly segmentSize?: number;
}

const emptyTag = new Uint8Array(32);
/** What mkfs puts into the root of an ext file system: such a one counts as empty. */
const ownedByDisk = 'lost+found';
/** A checkpoint is due after this many bytes of journal or pages changed in memory. */
const journalLimit = 16 * 1024 * 1024;
const dirtyPageLimit = 256;
/** … or when replay would run through more segments than this. */
const chainLimit = 2;
/**
 * The state of a volume: a sorted map and the log of sealed frames below it. Changes are in memory until `commit`,
 * whose order is fixed: frames, flush, tag, then whoever waits is told (docs/formats/volume.md, "Commits").
 */
export class Volume {
  readonly keys: VolumeKeys;
  readonly #options: VolumeOptions;
  readonly #segments: Segments;
  readonly #tree: Tree;
  readonly #journal: JournalWriter;
  readonly #pageBuffer = new Uint8Array(pageHeaderSize + pageCapacity);
  readonly #usage: SegmentUsage;
  /** Locations of pages that the next checkpoint makes unreachable. */
  #released: Location[] = [];
  /** Replay from the newest head runs through this segment and later ones: none of them may go. */
  #chainStart: number;
  #journalTags: Uint8Array[] = [];
  #journalBytes = 0;
  #tag: StateTag;
  readonly #settlement: Settlement;
  #sequence: number;
  readonly epoch: number;
  #headWritten = false;
  /** What the first head of this writer says, from when its commit was sealed. */
  #firstHead: Head | undefined;
  #changed = false;
  /** Of a commit that was written ahead: what is to be done when it is settled. */
  #written: (() => void) | undefined;
  #waiting: ((error?: VolumeError) => void)[] = [];
  /** Who waits asked for a checkpoint. */
  #checkpointAsked = false;
  #failure: VolumeError | undefined;
  /** Called before a commit is sealed: puts what is kept elsewhere into the map. */
  prepare: () => void = () => undefined;

  private constructor(
    options: VolumeOptions,
    keys: VolumeKeys,
    segments: Segments,
    state: {
      root: Location | undefined;
      tag: Uint8Array;
      sequence: number;
      epoch: number;
      usage: Map<number, number>;
      chainStart: number;
    },
  ) {
    this.#options = options;
    const { durability = 'settled' } = options;
    if (durability !== 'settled' && !options.clock)
      throw new RangeError(`a clock beside durability ${durability} expected`);
    this.keys = keys;
    this.#segments = segments;
    this.#usage = new SegmentUsage(state.usage);
    this.#chainStart = state.chainStart;
    this.#tag = new StateTag(state.tag);
    this.#sequence = state.sequence;
    this.epoch = state.epoch;
    this.#settlement = new Settlement({
      keeper: options.keeper,
      epoch: state.epoch,
      tag: this.#tag,
      durability,
      clock: options.clock ?? (() => 0),
      log: options.log,
      superseded: () => (this.#failure ??= superseded()),
      refuse: (cause) => this.#refuse(cause),
      answered: () => {
        if (this.#waiting.length === 0) return false;
        this.#commit();
        return true;
      },
    });
    this.#tree = new Tree(
      {
        load: (location, level, memory) => this.#loadPage(location, level, memory),
        store: (page) => this.#append(frameType.page, page.encode(this.#pageBuffer)),
        release: (location) => this.#released.push(location),
      },
      state.root,
    );
    this.#journal = new JournalWriter(longestFrame, (batch) => {
      this.#segments.append(frameType.journal, batch);
      this.#journalTags.push(this.#segments.lastTag.slice());
      this.#journalBytes += batch.length + frameOverhead;
    });
  }

  /**
   * Makes a new volume in an empty directory, with what `fill` puts into it as its first state.
   *
   * @throws VolumeError `VOLUME_EXISTS`, or `VOLUME_MISSING` where the keeper knows a state of this volume already
   */
  static create(options: VolumeOptions, fill: (volume: Volume) => void): void {
    const { backing, keeper, random, volumeKey } = options;
    const state = keeper.read();
    // The keeper knows that a volume was begun and never had a state: it is begun again.
    if (state.tag && isZero(state.tag))
      for (const name of backing.names().filter(isOurs)) backing.remove(name);
    if (backing.names().some((name) => name !== ownedByDisk))
      throw new VolumeError('VOLUME_EXISTS', 'volume: an empty directory expected, files found', {
        hint: 'a new volume is never made over something else; choose an empty directory',
      });
    if (state.tag && !isZero(state.tag))
      throw new VolumeError(
        'VOLUME_MISSING',
        'volume: the files of an initialised volume expected, none found',
        {
          hint: 'the directory lost its contents or was exchanged; restore it, it is never made anew',
        },
      );
    const header = { volumeId: random(16), master: random(32) };
    backing.replace(headerFile, encodeHeader(header, volumeKey, random(32)));
    const keys = new VolumeKeys(header.master, header.volumeId, options.digests);
    const granted = keeper.acquire(state, emptyTag);
    const epoch = granted === anyEpoch ? 1 : granted;
    if (epoch === undefined) throw superseded();
    const volume = new Volume(options, keys, new Segments({ ...options, keys }), {
      root: undefined,
      tag: emptyTag,
      sequence: 0,
      epoch,
      usage: new Map(),
      chainStart: 0,
    });
    fill(volume);
    volume.#changed = true;
    volume.commitAndWait();
    volume.close();
  }

  /**
   * Opens a volume for writing: finds the newest state that counts, becomes its writer, and settles that state with
   * the keeper before anything is served.
   *
   * @throws VolumeError
   */
  static open(options: VolumeOptions): Volume {
    const { backing, keeper, volumeKey } = options;
    const header = readVolumeHeader(backing, volumeKey, keeper);
    const keys = new VolumeKeys(header.master, header.volumeId, options.digests);
    for (let attempt = 0; attempt < 5; attempt++) {
      const segments = new Segments({ ...options, keys });
      const expected = keeper.read();
      const chain = findChain(expected, { ...options, keys, segments });
      const last = chain.commits.at(-1);
      if (!last) throw new RangeError('a chain has at least one commit');
      const granted = keeper.acquire(expected, last.tag);
      if (granted === undefined) {
        // The writer that is being replaced was faster; its newer state counts.
        segments.close();
        continue;
      }
      const epoch = granted === anyEpoch ? last.record.epoch + 1 : granted;
      return Volume.#at(options, keys, segments, chain, epoch);
    }
    throw superseded();
  }

  /**
   * Opens the newest state that counts without becoming its writer. Nothing can be changed, and what a writer elsewhere
   * makes of the volume is not seen.
   *
   * @throws VolumeError
   */
  static openReadOnly(options: VolumeOptions): Volume {
    const header = readVolumeHeader(options.backing, options.volumeKey, options.keeper);
    const keys = new VolumeKeys(header.master, header.volumeId, options.digests);
    const segments = new Segments({ ...options, keys });
    const chain = findChain(options.keeper.read(), { ...options, keys, segments });
    const last = chain.commits.at(-1);
    if (!last) throw new RangeError('a chain has at least one commit');
    const volume = Volume.#at(options, keys, segments, chain, last.record.epoch);
    volume.#failure = new VolumeError(
      'VOLUME_READ_ONLY',
      'volume: one opened for writing expected, it is read-only',
    );
    return volume;
  }

  /** The state that a chain leads to. */
  static #at(
    options: VolumeOptions,
    keys: VolumeKeys,
    segments: Segments,
    chain: Chain,
    epoch: number,
  ): Volume {
    const last = chain.commits.at(-1) as Found;
    const { root, operations, usage } = replay(chain, segments);
    for (const segment of [...usage.keys(), ...chain.segments])
      segments.next = Math.max(segments.next, segment + 1);
    const volume = new Volume(options, keys, segments, {
      root,
      tag: last.tag,
      sequence: last.record.sequence,
      epoch,
      usage,
      chainStart: chain.head.start.segment,
    });
    for (const operation of operations) {
      if (operation.kind === 'put') volume.#tree.put(operation.key, operation.value);
      else volume.#tree.delete(operation.key);
    }
    return volume;
  }

  /** The pages of the tree, as `Tree.visitPages`. */
  visitPages(visit: (page: Page) => void, damaged: (location: Location, error: unknown) => void): void {
    this.#tree.visitPages(visit, damaged);
  }

  /** Live bytes by segment, as the volume counts them. */
  get usage(): ReadonlyMap<number, number> {
    return this.#usage.live;
  }

  /** Places of pages that count as live until the next checkpoint. */
  get released(): readonly Location[] {
    return this.#released;
  }

  /** Tag of the state that was committed last. */
  get tag(): Uint8Array {
    return this.#tag.bytes;
  }

  get failure(): VolumeError | undefined {
    return this.#failure;
  }

  /** Bytes that the live data takes. */
  get liveBytes(): number {
    return this.#usage.total;
  }

  /** Whether so much has changed that a commit should not wait for its time. */
  get wantsCommit(): boolean {
    return (
      this.#tree.dirtyPages > dirtyPageLimit ||
      this.#journalBytes > journalLimit ||
      this.#segments.lastSegment - this.#chainStart > chainLimit
    );
  }

  /** A view of the value, valid until the next change or `settle`; undefined if there is none. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#tree.get(key);
  }

  /** To be called now and then where many pages are read: no view that `get` or `scan` gave is in use. */
  settle(): void {
    this.#tree.settle();
  }

  scan(from: Uint8Array, visit: (key: Uint8Array, value: Uint8Array) => boolean): void {
    // `visit` may make another key in the same bytes.
    this.#tree.scan(from.slice(), visit);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#writable();
    this.#journal.put(key, value);
    this.#tree.put(key, value);
    this.#changed = true;
  }

  delete(key: Uint8Array): boolean {
    this.#writable();
    if (!this.#tree.get(key)) return false;
    this.#journal.delete(key);
    this.#tree.delete(key);
    this.#changed = true;
    return true;
  }

  #writable(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Seals data as a unit; where it went is in `unitSegment`, `unitOffset` and `unitTag` until the next call. */
  writeUnit(plain: Uint8Array): void {
    this.#writable();
    this.#segments.append(frameType.unit, plain);
    this.#usage.use(this.#segments.lastSegment, plain.length + frameOverhead);
  }

  get unitSegment(): number {
    return this.#segments.lastSegment;
  }

  get unitOffset(): number {
    return this.#segments.lastOffset;
  }

  get unitTag(): Uint8Array {
    return this.#segments.lastTag;
  }

  /** @throws VolumeError `VOLUME_DAMAGED` or `VOLUME_MISSING` */
  readUnit(
    segment: number,
    offset: number,
    length: number,
    tag: Uint8Array,
    out: Uint8Array,
    ahead = 0,
  ): void {
    this.#segments.read(frameType.unit, segment, offset, length, tag, out, ahead);
  }

  /** A unit of `length` bytes is no longer referred to. */
  releaseUnit(segment: number, length: number): void {
    this.#usage.use(segment, -(length + frameOverhead));
  }

  #loadPage(location: Location, level: number | undefined, memory: PageMemory | undefined): Page {
    const { length } = location;
    const plain =
      length <= this.#pageBuffer.length ? this.#pageBuffer.subarray(0, length) : new Uint8Array(length);
    this.#segments.readLocation(frameType.page, location, plain);
    return Page.decode(plain, level, memory);
  }

  #append(type: number, plain: Uint8Array): Location {
    this.#segments.append(type, plain);
    this.#usage.use(this.#segments.lastSegment, plain.length + frameOverhead);
    return {
      segment: this.#segments.lastSegment,
      offset: this.#segments.lastOffset,
      length: plain.length,
      tag: this.#segments.lastTag.slice(),
    };
  }

  /**
   * Makes every change durable and settles it with the keeper; `done` is called when that has happened, with an error
   * if it has not. Calls while the keeper is being asked share the next commit.
   */
  commit(done: (error?: VolumeError) => void, checkpoint = false): void {
    this.#waiting.push(done);
    this.#checkpointAsked ||= checkpoint;
    if (!this.#settlement.asking || this.#settlement.early) this.#commit();
  }

  /** Asks the keeper for what was promised before, if it is time. Returns the milliseconds until it will be. */
  settlePromises(): number {
    return this.#failure ? Infinity : this.#settlement.settlePromises();
  }

  /**
   * Writes a commit of all changes without flushing it, for somebody who is about to ask for it. What fails of that the commit that
   * follows tries again, and whoever asks for it gets the error.
   */
  writeAhead(): void {
    if (!this.#settlement.early || this.#failure || !this.#headWritten || this.wantsCommit) return;
    try {
      this.prepare();
      if (this.#changed) this.#written = this.#write(false);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Seals a commit and hands it to the disk, unless one was that has all changes; returns what is to be done when it is settled. */
  #write(checkpoint: boolean): () => void {
    const written = this.#written;
    // Whatever fails below: what is sealed then is not written yet.
    this.#written = undefined;
    if (written && !checkpoint && !this.#changed) return written;
    const finish = this.#seal(checkpoint);
    this.#segments.flush();
    return () => {
      written?.();
      finish();
    };
  }

  #commit(): void {
    const checkpoint = this.#checkpointAsked;
    this.#checkpointAsked = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    const tell = (error?: VolumeError): void => {
      for (const done of waiting) done(error);
    };
    // A checkpoint that is asked for is the last commit of a mount: it waits for the keeper always.
    const settlement = this.#settlement;
    const early = settlement.early && !checkpoint;
    let finish: () => void;
    try {
      this.#writable();
      this.prepare();
      if (!this.#changed && !this.#written && settlement.isDurable(this.#tag)) {
        if (early || settlement.isSettled(this.#tag)) tell();
        // All is on the disk; the keeper has to know.
        else settlement.settle(this.#tag, tell);
        return;
      }
      finish = this.#write(checkpoint);
    } catch (error) {
      tell(this.#refuse(error));
      return;
    }
    try {
      this.#segments.sync();
    } catch (error) {
      // What a failed flush has lost nobody can say: nothing more is promised.
      tell(this.#fail(error));
      return;
    }
    if (!early) {
      settlement.settle(this.#tag, tell, finish);
      return;
    }
    settlement.promise(this.#tag, tell, finish);
    // The next commit needs it, and here nobody waits any more.
    void this.#tag.bytes;
    this.settlePromises();
  }

  /** Seals a commit of all changes; returns what is to be done when it is settled. */
  #seal(checkpoint: boolean): () => void {
    const full = checkpoint || !this.#headWritten || this.wantsCommit;
    const start: Position = this.#segments.position;
    const previous = this.#tag.bytes;
    let root: Location | undefined;
    if (full) {
      root = this.#tree.store();
      for (const location of this.#released)
        this.#usage.use(location.segment, -(location.length + frameOverhead));
      this.#released = [];
      // Replay starts from the tree itself: of the journal it needs the live bytes alone.
      this.#journal.clear();
      this.#journalTags = [];
      this.#usage.store(this.#journal);
    } else this.#usage.storeChanges(this.#journal);
    this.#journal.flush();
    const journalFrames = this.#journalTags;
    const record = encodeCommit({
      sequence: this.#sequence + 1,
      epoch: this.epoch,
      previous,
      journalFrames: journalFrames.length,
      journalDigest: this.keys.journalDigest(journalFrames),
      root,
    });
    this.#segments.append(frameType.commit, record);
    this.#sequence++;
    this.#tag = new StateTag(() => this.keys.tag(record));
    this.#journalTags = [];
    this.#usage.stored();
    this.#changed = false;
    const emptied = [...this.#usage.emptied];
    if (!full) return () => this.#remove(emptied);
    this.#journalBytes = 0;
    const first = !this.#headWritten;
    let head: Head = { epoch: this.epoch, sequence: this.#sequence - 1, start, previous };
    // Where the disk was full before, the chain from the keeper's tag begins with a commit that was sealed then.
    if (first) head = this.#firstHead ??= head;
    const write = (): void => {
      const { backing, aead, random } = this.#options;
      backing.replace(headName(this.epoch), encodeHead(head, this.keys, aead, random(32)));
      this.#headWritten = true;
    };
    if (first) {
      // The new writer's first state must be found once the keeper has its tag.
      this.#segments.sync();
      write();
    }
    return () => {
      if (!first) write();
      const old = this.#chainStart;
      this.#chainStart = head.start.segment;
      for (let segment = old; segment < head.start.segment; segment++) emptied.push(segment);
      this.#remove(emptied);
      if (first) this.#tidy();
    };
  }

  /**
   * Segments whose contents should move so that they can go: those that hold least, up to `most` live bytes together,
   * if more than `dead` bytes and more than half as many as are live would be given back in all. Where room is `tight`,
   * how many are live does not count, and never more than `most` are moved.
   */
  sparseSegments(dead: number, most: number, tight = false): Set<number> {
    const complete = (segment: number): boolean =>
      segment < this.#chainStart && segment !== this.#segments.current;
    return this.#usage.sparse(dead, most, complete, (segment) => this.#segments.size(segment), tight);
  }

  /** Bytes that nothing refers to in the segments that cannot go yet: the newest, and those that replay runs through. */
  get deadInNewest(): number {
    let dead = 0;
    for (let segment = this.#chainStart; segment <= (this.#segments.current ?? 0); segment++) {
      if (!this.#usage.live.has(segment) && segment !== this.#segments.current) continue;
      dead += this.#segments.size(segment) - Math.max(0, this.#usage.live.get(segment) ?? 0);
    }
    return dead;
  }

  /** What is written from now on goes to a new segment, so that after the next checkpoint the newest ones can go. */
  startSegment(): void {
    this.#writable();
    this.#segments.startNew();
    this.#changed = true;
  }

  /** Gives back the room that is kept for new segments; false where there is none. */
  giveBackSpares(): boolean {
    return this.#segments.removeSpares();
  }

  /** Has the next checkpoint move the pages that lie in these segments. */
  movePages(segments: ReadonlySet<number>): void {
    this.#tree.relocate((location) => segments.has(location.segment));
    this.#changed = true;
  }

  /** Removes those of `segments` that nothing needs. */
  #remove(segments: Iterable<number>): void {
    for (const segment of new Set(segments)) {
      if (segment >= this.#chainStart || segment === this.#segments.current) continue;
      if ((this.#usage.live.get(segment) ?? 0) > 0) continue;
      this.#usage.forget(segment);
      try {
        this.#segments.remove(segment);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  /**
   * Removes what earlier writers left: their heads, and segments of commits that never counted. What cannot be removed,
   * such as a directory of that name, does no harm.
   */
  #tidy(): void {
    const { backing, log } = this.#options;
    let left = 0;
    let first = '';
    for (const name of backing.names().filter(isOurs)) {
      const epoch = epochOfHead(name);
      const segment = segmentOfName(name);
      try {
        if (epoch !== undefined && epoch < this.epoch) backing.remove(name);
        if (segment !== undefined && !this.#usage.live.has(segment)) this.#remove([segment]);
      } catch (error) {
        if (left++ === 0) first = `${name}: ${messageOf(error)}`;
      }
    }
    if (left > 0)
      log(`${left} files that nothing refers to could not be removed, the first of them ${first}`);
  }

  /** An error of the backing directory or of the volume, as those who wait get it. */
  #refuse(error: unknown): VolumeError {
    if (error instanceof VolumeError) return error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      this.#segments.removeSpares();
      return new VolumeError('VOLUME_FULL', 'volume: room in the backing directory expected, none left', {
        cause: error,
        hint: 'make room; nothing is lost, the same data is written again',
      });
    }
    return this.#fail(error);
  }

  #fail(cause: unknown): VolumeError {
    this.#failure ??= new VolumeError(
      'VOLUME_FAILED',
      'volume: the backing directory failed; nothing more is written',
      {
        cause,
        hint: 'look after the disk, then mount again',
      },
    );
    this.#options.log(`${this.#failure.message}: ${messageOf(cause)}`);
    return this.#failure;
  }

  /** `commit` with a keeper that answers at once. */
  commitAndWait(checkpoint = false): void {
    let result: { error: VolumeError | undefined } | undefined;
    this.commit((error) => {
      result = { error };
    }, checkpoint);
    if (!result) throw new RangeError('a keeper that answers at once expected');
    if (result.error) throw result.error;
  }

  close(): void {
    this.#segments.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'not an error was thrown';
}

/** Whether a file of this name belongs to a volume. */
export function isOurs(name: string): boolean {
  const plain = name.replace(/\.new$/, '');
  return plain === headerFile || epochOfHead(plain) !== undefined || segmentOfName(plain) !== undefined;
}

function superseded(): VolumeError {
  return new VolumeError(
    'VOLUME_SUPERSEDED',
    'volume: to be the one writer expected, another has taken over',
    {
      hint: 'unmount here, or stop the other mount first',
    },
  );
}
