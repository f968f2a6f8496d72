import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Entry } from '@ensconce/fuse/attributes';
import type { Caller } from '@ensconce/fuse/request';
import { evpAead } from '../src/evp-aead.ts';
import { makeRoot, VolumeFilesystem } from '../src/filesystem.ts';
import type { TagKeeper } from '../src/tag-keeper.ts';
import { cellBytes } from '../src/units.ts';
import { Volume } from '../src/volume.ts';
import type { Durability } from '../src/settlement.ts';
import type { MemoryBacking } from './memory-backing.ts';
import { writeInto } from './memory-backing.ts';

/** Numbers that look random and are the same in every run. */
export function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * limit);
  };
}

export const aead = evpAead();
export const volumeKey = new Uint8Array(32).fill(5);
export const caller: Caller = { unique: 1, uid: 0, gid: 0, pid: 1 };
export const name = (text: string): Uint8Array => Buffer.from(text);
export const root = 1;

/** Files and what they hold, as a program sees them. */
export type Tree = ReadonlyMap<string, Buffer>;

export interface Machine {
  readonly backing: MemoryBacking;
  readonly keeper: TagKeeper;
  readonly volume: Volume;
  readonly fs: VolumeFilesystem;
}

export function open(
  backing: MemoryBacking,
  keeper: TagKeeper,
  seed: number,
  deadBytes?: number,
  durability: Durability = 'settled',
  clock: () => number = () => 0,
): Machine {
  const next = generator(seed);
  const volume = Volume.open({
    backing,
    keeper,
    volumeKey,
    aead,
    random: (size) =>
      createHash('shake256', { outputLength: size })
        .update(String(next(2 ** 31)))
        .digest(),
    log: () => undefined,
    durability,
    clock,
    segmentSize: 96 * 1024,
  });
  let time = 0;
  const fs = new VolumeFilesystem({
    volume,
    backing,
    now: () => ({ seconds: time++, nanoseconds: 0 }),
    log: () => undefined,
    ...(deadBytes === undefined ? {} : { deadBytes }),
  });
  // As the loop of a mounted volume: whose `after` is called after each request.
  fs.init({ minor: 45, writebackCache: false, reply: () => undefined, invalidate: () => undefined });
  return { backing, keeper, volume, fs };
}

export function create(backing: MemoryBacking, keeper: TagKeeper): void {
  const next = generator(1);
  Volume.create(
    {
      backing,
      keeper,
      volumeKey,
      aead,
      random: (size) =>
        createHash('shake256', { outputLength: size })
          .update(String(next(2 ** 31)))
          .digest(),
      log: () => undefined,
      segmentSize: 96 * 1024,
    },
    (volume) => makeRoot(volume, { seconds: 0, nanoseconds: 0 }),
  );
}

export function contents({ fs }: Machine): Tree {
  const tree = new Map<string, Buffer>();
  for (let i = 0; i < names; i++) {
    const entry = new Entry();
    fs.lookup(root, name(`f${i}`), entry);
    if (entry.node === 0) continue;
    const data = Buffer.alloc(entry.attributes.size);
    assert.equal(fs.read(entry.node, 0, 0, data.length, data, 0), data.length);
    fs.after();
    tree.set(`f${i}`, data);
  }
  return tree;
}

export const names = 6;

/** How many files there are, the root and those without a name among them. */
export function fileCount({ fs }: Machine): number {
  const statistics = { blocks: 0, freeBlocks: 0, availableBlocks: 0, blockSize: 4096, nameLength: 255 };
  const counted = { ...statistics, files: 0, freeFiles: 0 };
  assert.equal(fs.statfs(root, counted), 0);
  return counted.files - counted.freeFiles;
}

/** Writes 60,000 bytes over the first ones of one of the files: what these were is referred to no more. */
export function overwrite({ fs }: Machine, model: Map<string, Buffer>, value: number): void {
  const entry = new Entry();
  fs.lookup(root, name('f0'), entry);
  if (entry.node === 0) assert.equal(fs.mknod(root, name('f0'), 0o100644, 0, entry, caller), 0);
  const data = Buffer.alloc(60_000, value);
  assert.equal(fs.write(entry.node, 0, 0, data.length, data, 0, 0), data.length);
  fs.after();
  fs.forget(entry.node, 1);
  fs.after();
  model.set('f0', Buffer.from(writeInto(model.get('f0') ?? new Uint8Array(), 0, data)));
}

/** One change by a program, applied to the file system and to the model. */
export function change({ fs }: Machine, model: Map<string, Buffer>, next: (limit: number) => number): void {
  const file = `f${next(names)}`;
  const entry = new Entry();
  fs.lookup(root, name(file), entry);
  fs.after();
  const forget = (node: number): void => {
    fs.after();
    fs.forget(node, 1);
    fs.after();
  };
  const what = next(10);
  if (entry.node === 0 && what < 4) {
    // O_TMPFILE: most get a name when they are whole, some never do, and of those some are in use until the end.
    assert.equal(fs.tmpfile(root, 0, 0o100644, entry, { handle: 0, flags: 0 }, caller), 0);
    const data = Buffer.alloc(1 + next(40_000), next(256));
    assert.equal(fs.write(entry.node, 0, 0, data.length, data, 0, 0), data.length);
    if (what === 0) entry.node = 0;
    if (what > 1) {
      const node = entry.node;
      assert.equal(fs.link(node, root, name(file), entry), 0);
      forget(node);
      model.set(file, data);
    }
  } else if (entry.node === 0) {
    assert.equal(fs.mknod(root, name(file), 0o100644, 0, entry, caller), 0);
    model.set(file, Buffer.alloc(0));
  } else if (what === 0) {
    assert.equal(fs.unlink(root, name(file)), 0);
    model.delete(file);
  } else if (what === 1) {
    const other = `f${next(names)}`;
    if (other !== file) {
      assert.equal(fs.rename(root, name(file), root, name(other), 0), 0);
      model.set(other, model.get(file) as Buffer);
      model.delete(file);
    }
  } else if (what === 2) {
    const old = model.get(file) as Buffer;
    const size = next(100_000);
    const attributes = new Entry().attributes;
    fs.setattr(
      entry.node,
      {
        valid: 8,
        handle: -1,
        size,
        mode: 0,
        uid: 0,
        gid: 0,
        atime: 0,
        atimeNanoseconds: 0,
        mtime: 0,
        mtimeNanoseconds: 0,
        ctime: 0,
        ctimeNanoseconds: 0,
      },
      attributes,
    );
    const resized = Buffer.alloc(size);
    old.copy(resized);
    model.set(file, resized);
  } else {
    const old = model.get(file) as Buffer;
    // Some are of whole cells, which are sealed after the answer.
    const offset = what === 3 ? next(2) * cellBytes : next(60_000);
    const length = what === 3 ? 2 * cellBytes : 1 + next(what < 5 ? 60_000 : 6000);
    const data = Buffer.alloc(length, next(256));
    assert.equal(fs.write(entry.node, 0, offset, data.length, data, 0, 0), data.length);
    model.set(file, Buffer.from(writeInto(old, offset, data)));
  }
  if (entry.node !== 0) forget(entry.node);
}

export function same(a: Tree, b: Tree): boolean {
  return a.size === b.size && [...a].every(([key, data]) => b.get(key)?.equals(data) === true);
}
