import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Entry } from '@ensconce/fuse/attributes';
import type { Caller } from '@ensconce/fuse/request';
import { MemoryBacking, writeInto } from '../test/memory-backing.ts';
import type { Step } from '../test/memory-backing.ts';
import { evpAead } from './evp-aead.ts';
import { VolumeError } from './errors.ts';
import { makeRoot, VolumeFilesystem } from './filesystem.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import type { TagState } from './tag-keeper.ts';
import { Volume } from './volume.ts';

/** Numbers that look random and are the same in every run. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * limit);
  };
}

const aead = evpAead();
const volumeKey = new Uint8Array(32).fill(5);
const caller: Caller = { unique: 1, uid: 0, gid: 0, pid: 1 };
const name = (text: string): Uint8Array => Buffer.from(text);
const root = 1;

/** Files and what they hold, as a program sees them. */
type Tree = ReadonlyMap<string, Buffer>;

interface Machine {
  readonly backing: MemoryBacking;
  readonly keeper: MemoryTagKeeper;
  readonly volume: Volume;
  readonly fs: VolumeFilesystem;
}

function open(backing: MemoryBacking, keeper: MemoryTagKeeper, seed: number): Machine {
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
    segmentSize: 96 * 1024,
  });
  let time = 0;
  const fs = new VolumeFilesystem({
    volume,
    backing,
    now: () => ({ seconds: time++, nanoseconds: 0 }),
    log: () => undefined,
  });
  return { backing, keeper, volume, fs };
}

function create(backing: MemoryBacking, keeper: MemoryTagKeeper): void {
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

function contents({ fs }: Machine): Tree {
  const tree = new Map<string, Buffer>();
  for (let i = 0; i < names; i++) {
    const entry = new Entry();
    fs.lookup(root, name(`f${i}`), entry);
    if (entry.node === 0) continue;
    const data = Buffer.alloc(entry.attributes.size);
    assert.equal(fs.read(entry.node, 0, 0, data.length, data, 0), data.length);
    tree.set(`f${i}`, data);
  }
  return tree;
}

const names = 6;

/** One change by a program, applied to the file system and to the model. */
function change({ fs }: Machine, model: Map<string, Buffer>, next: (limit: number) => number): void {
  const file = `f${next(names)}`;
  const entry = new Entry();
  fs.lookup(root, name(file), entry);
  const forget = (node: number): void => fs.forget(node, 1);
  const what = next(10);
  if (entry.node === 0) {
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
    const offset = next(60_000);
    const data = Buffer.alloc(1 + next(what < 5 ? 60_000 : 6000), next(256));
    assert.equal(fs.write(entry.node, 0, offset, data.length, data, 0, 0), data.length);
    model.set(file, Buffer.from(writeInto(old, offset, data)));
  }
  if (entry.node !== 0) forget(entry.node);
}

function same(a: Tree, b: Tree): boolean {
  return a.size === b.size && [...a].every(([key, data]) => b.get(key)?.equals(data) === true);
}

/** What the directory may hold after a crash before step `end`: steps not yet made durable may be lost, torn or swapped. */
function crashed(
  base: ReadonlyMap<string, Uint8Array>,
  steps: readonly Step[],
  end: number,
  loses: (step: Step) => 'kept' | 'lost' | 'torn',
): Map<string, Uint8Array> {
  const files = new Map(base);
  const durable = Array.from({ length: end }, () => false);
  for (let i = 0; i < end; i++) {
    const step = steps[i] as Step;
    if (step.kind === 'sync') {
      for (let j = 0; j < i; j++) {
        const earlier = steps[j] as Step;
        if (earlier.kind === 'write' && earlier.name === step.name) durable[j] = true;
      }
    } else if (step.kind === 'syncNames') {
      for (let j = 0; j < i; j++)
        if (['create', 'remove'].includes((steps[j] as Step).kind)) durable[j] = true;
    } else if (step.kind === 'replace') durable[i] = true;
  }
  for (let i = 0; i < end; i++) {
    const step = steps[i] as Step;
    const fate = durable[i] ? 'kept' : loses(step);
    if (fate === 'lost' && step.kind !== 'create') continue;
    if (step.kind === 'create') files.set(step.name, files.get(step.name) ?? new Uint8Array());
    else if (step.kind === 'remove') files.delete(step.name);
    else if (step.kind === 'replace') files.set(step.name, step.bytes);
    else if (step.kind === 'write') {
      const bytes = fate === 'torn' ? step.bytes.slice(0, Math.floor(step.bytes.length / 2)) : step.bytes;
      files.set(step.name, writeInto(files.get(step.name) ?? new Uint8Array(), step.position, bytes));
    }
  }
  return files;
}

interface Moment {
  readonly steps: number;
  /** What the keeper has from then on. */
  readonly state: TagState;
}

/** A run of a program with fsync now and then: every state the keeper ever had, and what was promised when. */
function run(seed: number, changes: number) {
  const backing = new MemoryBacking();
  const states: Moment[] = [];
  const keeper = new MemoryTagKeeper({ tag: undefined, epoch: 0 }, (state) =>
    states.push({ steps: backing.steps.length, state }),
  );
  create(backing, keeper);
  const machine = open(backing, keeper, seed);
  const base = new Map(backing.files);
  backing.steps.length = 0;
  states.length = 0;
  const start = keeper.read();
  const next = generator(seed);
  const model = new Map<string, Buffer>();
  /** Every state there ever was; a commit may fall between any two changes. */
  const trees: Tree[] = [new Map()];
  /** What fsync has promised: after so many steps at least this state. */
  const promises = [{ steps: 0, least: 0 }];
  for (let i = 0; i < changes; i++) {
    change(machine, model, next);
    trees.push(new Map(model));
    if (next(4) === 0) {
      machine.volume.commitAndWait(next(6) === 0);
      promises.push({ steps: backing.steps.length, least: trees.length - 1 });
    }
  }
  return { backing, base, start, states, trees, promises };
}

function keeperAt(history: { start: TagState; states: readonly Moment[] }, steps: number): TagState {
  return history.states.findLast((moment) => moment.steps <= steps)?.state ?? history.start;
}

void test('after a crash at any step, with steps lost, torn or out of order, all that was fsynced is there', () => {
  let cases = 0;
  for (let seed = 1; seed <= 3; seed++) {
    const history = run(seed, 70);
    const { steps } = history.backing;
    for (let end = 0; end <= steps.length; end++) {
      for (const [variant, pick] of [
        () => 'kept' as const,
        () => 'lost' as const,
        () => 'torn' as const,
        ...[1, 2].map((salt) => {
          const next = generator(seed * 1000 + end * 10 + salt);
          return () => (['kept', 'lost', 'torn'] as const)[next(3)] as 'kept';
        }),
      ].entries()) {
        const files = crashed(history.base, steps, end, pick);
        // The keeper may have taken the tag right after the last step, or not yet.
        const keeper = new MemoryTagKeeper(keeperAt(history, end));
        const machine = open(new MemoryBacking(files), keeper, 99 + variant);
        const found = contents(machine);
        const promised = history.promises.findLast((promise) => promise.steps <= end);
        const position = history.trees.findLastIndex((tree) => same(tree, found));
        assert.ok(
          position >= 0,
          `seed ${seed}, step ${end}, variant ${variant}: a state that there was expected`,
        );
        assert.ok(
          position >= (promised?.least ?? 0),
          `seed ${seed}, step ${end}, variant ${variant}: at least what was promised`,
        );
        cases++;
        // What was recovered can be gone on with, and is found again.
        if (cases % 10 === 0) {
          const model = new Map(found) as Map<string, Buffer>;
          const next = generator(cases);
          for (let i = 0; i < 5; i++) change(machine, model, next);
          machine.volume.commitAndWait();
          const again = open(new MemoryBacking(machine.backing.files), keeper, 7);
          assert.ok(
            same(contents(again), model),
            `seed ${seed}, step ${end}: what was written after the crash`,
          );
        }
      }
    }
  }
  assert.ok(cases > 1000, String(cases));
});

void test('every older state of the directory is refused, also by one step', () => {
  const history = run(11, 60);
  const { steps } = history.backing;
  let refused = 0;
  for (let end = 0; end <= steps.length; end++) {
    const files = crashed(history.base, steps, end, () => 'kept');
    for (const moment of history.states) {
      if (moment.steps <= end) continue;
      // The keeper has a tag whose state is not in the directory yet, unless its last step was all that was missing.
      const later = steps.slice(end, moment.steps).some((step) => step.kind === 'write');
      if (!later) continue;
      assert.throws(
        () => open(new MemoryBacking(files), new MemoryTagKeeper(moment.state), 3),
        (error: unknown) =>
          error instanceof VolumeError && ['VOLUME_ROLLED_BACK', 'VOLUME_MISSING'].includes(error.code),
      );
      refused++;
    }
  }
  assert.ok(refused > 400, String(refused));
});
