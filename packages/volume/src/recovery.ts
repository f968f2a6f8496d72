import { equalBytes } from '@ensconce/base/bytes';
import type { AeadFactory } from './aead.ts';
import type { Backing } from './backing.ts';
import { readWhole } from './backing.ts';
import { decodeCommit } from './commit-record.ts';
import type { CommitRecord } from './commit-record.ts';
import { VolumeError } from './errors.ts';
import { frameOverhead, frameType, linkSize, segmentHeaderSize } from './frame.ts';
import { decodeHead, epochOfHead, headSize } from './head.ts';
import type { Head } from './head.ts';
import type { VolumeKeys } from './keys.ts';
import type { Position, Segments } from './segments.ts';
import { anyEpoch } from './tag-keeper.ts';
import type { TagState } from './tag-keeper.ts';

interface FramePlace extends Position {
  readonly type: number;
  readonly length: number;
}

/** A commit found on the disk, authentic and chained to the one before. */
export interface Found {
  readonly record: CommitRecord;
  readonly tag: Uint8Array;
  /** Where its first frame starts. */
  readonly start: Position;
  /** The frames that belong to it, its journal frames among them. */
  readonly frames: readonly FramePlace[];
  readonly journal: readonly FramePlace[];
}

/** A way from a checkpoint to the newest state that counts. */
export interface Chain {
  readonly head: Head;
  readonly commits: readonly Found[];
  /** Index of the commit whose tag the keeper has; −1 where the keeper has none. */
  readonly settled: number;
  /** Segments that the chain runs through. */
  readonly segments: ReadonlySet<number>;
}

export interface RecoveryOptions {
  readonly backing: Backing;
  readonly keys: VolumeKeys;
  readonly aead: AeadFactory;
  readonly segments: Segments;
  readonly log: (line: string) => void;
}

/** What opening something says that is no file: whoever put it there gains nothing by it. */
const noFile: ReadonlySet<string | undefined> = new Set(['EISDIR', 'ELOOP', 'ENXIO', 'ESPIPE', 'ENOENT']);

/** The authentic heads of the directory, newest writer first. Whatever else lies there, however much, is passed over. */
export function readHeads({ backing, keys, aead }: RecoveryOptions): Head[] {
  const heads: Head[] = [];
  for (const name of backing.names()) {
    const epoch = epochOfHead(name);
    if (epoch === undefined) continue;
    try {
      const head = decodeHead(readWhole(backing, name, headSize), keys, aead);
      if (head?.epoch === epoch) heads.push(head);
    } catch (error) {
      if (!noFile.has((error as NodeJS.ErrnoException).code)) throw error;
    }
  }
  return heads.toSorted((a, b) => b.epoch - a.epoch);
}

/** Follows the frames from a head as far as they are authentic and chained. Everything read here is the attacker's. */
export function walk(head: Head, { segments, keys }: RecoveryOptions): Omit<Chain, 'settled'> {
  const commits: Found[] = [];
  const seen = new Set<number>();
  let previous = head.previous;
  let sequence = head.sequence;
  let { segment, offset } = head.start;
  let start: Position = head.start;
  let frames: FramePlace[] = [];
  let journal: FramePlace[] = [];
  let tags: Uint8Array[] = [];
  try {
    segments.size(segment);
    seen.add(segment);
    for (;;) {
      const frame = segments.peek(segment, offset);
      if (!frame) break;
      const place = { segment, offset, ...frame };
      if (frame.type === frameType.link) {
        const link =
          frame.length === linkSize ? segments.openAt(segment, offset, frame.type, linkSize) : undefined;
        if (!link) break;
        segment = new DataView(link.buffer).getUint32(0, true);
        if (seen.has(segment)) break;
        segments.size(segment);
        seen.add(segment);
        offset = segmentHeaderSize;
        continue;
      }
      offset += frame.length + frameOverhead;
      frames.push(place);
      if (frame.type === frameType.journal) {
        if (!segments.openAt(place.segment, place.offset, frame.type, frame.length)) break;
        journal.push(place);
        tags.push(segments.lastTag.slice());
      } else if (frame.type === frameType.commit) {
        const plain = segments.openAt(place.segment, place.offset, frame.type, frame.length);
        const record = plain && decodeCommit(plain);
        if (!record || !equalBytes(record.previous, previous) || record.sequence !== sequence + 1) break;
        if (commits.length === 0 && !record.root) break;
        if (record.journalFrames > journal.length) break;
        const own = journal.length - record.journalFrames;
        if (!equalBytes(keys.journalDigest(tags.slice(own)), record.journalDigest)) break;
        const tag = keys.tag(plain);
        commits.push({ record, tag, start, frames, journal: journal.slice(own) });
        previous = tag;
        sequence = record.sequence;
        frames = [];
        journal = [];
        tags = [];
        start = { segment, offset };
      }
    }
  } catch (error) {
    // A segment that is gone or is none ends the chain; what the keeper says then decides.
    if (!(error instanceof VolumeError)) throw error;
  }
  return { head, commits, segments: seen };
}

/** Whether every frame of a commit is whole: a crash may have kept its record and lost what it refers to. */
function isWhole(found: Found, segments: Segments): boolean {
  return found.frames.every(({ segment, offset, type, length }) => {
    try {
      return segments.openAt(segment, offset, type, length) !== undefined;
    } catch (error) {
      if (error instanceof VolumeError) return false;
      throw error;
    }
  });
}

/**
 * Finds the newest state that counts (docs/formats/volume.md, "Mounting"): the one whose tag the keeper has, and what
 * its last writer added to it in whole commits.
 *
 * @throws VolumeError `VOLUME_ROLLED_BACK` or `VOLUME_MISSING`
 */
export function findChain(state: TagState, options: RecoveryOptions): Chain {
  const heads = readHeads(options);
  if (heads.length === 0)
    throw new VolumeError(
      'VOLUME_MISSING',
      'volume: the state of an initialised volume expected, no head found',
      {
        hint: 'the directory lost its contents or was exchanged; restore it, it is never made anew',
      },
    );
  let best: Chain | undefined;
  for (const head of heads) {
    const chain = walk(head, options);
    const { tag } = state;
    let settled = -1;
    if (tag) {
      settled = chain.commits.findIndex((commit) => equalBytes(commit.tag, tag));
      // The keeper may have the state right before this checkpoint, which then was not settled.
      if (settled < 0 && !equalBytes(head.previous, tag)) continue;
    }
    const commits = chain.commits.slice(0, settled + 1);
    for (const commit of chain.commits.slice(settled + 1)) {
      const { epoch } = commit.record;
      if (state.epoch !== anyEpoch && epoch !== state.epoch) {
        options.log(
          `a commit of writer ${epoch} beyond the keeper's tag is ignored: writer ${state.epoch} was granted last`,
        );
        break;
      }
      if (!isWhole(commit, options.segments)) {
        options.log(
          `commit ${commit.record.sequence}, which nobody was told of, is not whole and is ignored`,
        );
        break;
      }
      commits.push(commit);
    }
    const last = commits.at(-1)?.record.sequence ?? 0;
    if (commits.length > 0 && last > (best?.commits.at(-1)?.record.sequence ?? 0))
      best = { ...chain, commits, settled };
  }
  if (best) return best;
  throw state.tag
    ? new VolumeError(
        'VOLUME_ROLLED_BACK',
        "volume: a state that leads from the keeper's tag expected, older or foreign ones found",
        {
          hint: 'the directory was rolled back, exchanged or damaged, or written to without this keeper of its tag; restore the newest copy',
        },
      )
    : new VolumeError('VOLUME_DAMAGED', 'volume: a whole state expected, none found');
}
