import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LateKeeper } from '../test/late-keeper.ts';
import { Entry } from '@ensconce/fuse/attributes';
import { caller, change, contents, create, generator, name, open, root, same } from '../test/machine.ts';
import type { Machine } from '../test/machine.ts';
import { MemoryBacking } from '../test/memory-backing.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import type { Durability } from './settlement.ts';

interface Slow extends Machine {
  readonly late: LateKeeper;
  readonly truth: MemoryTagKeeper;
  /** Changes something and asks for a commit; says what whoever asked was told so far. */
  readonly fsync: (checkpoint?: boolean) => { told: string };
  /** The two halves of it. */
  readonly change: () => void;
  readonly commit: (checkpoint?: boolean) => { told: string };
  readonly backing: MemoryBacking;
  readonly model: Map<string, Buffer>;
  time: number;
}

/** A volume whose keeper answers when it is told to. */
function slow(durability: Durability): Slow {
  const backing = new MemoryBacking();
  const truth = new MemoryTagKeeper();
  create(backing, truth);
  const late = new LateKeeper(truth);
  const next = generator(3);
  const model = new Map<string, Buffer>();
  const state = { time: 1000 };
  const machine = open(backing, late, 5, undefined, durability, () => state.time);
  const commit = (checkpoint?: boolean): { told: string } => {
    const answer = { told: 'nothing' };
    machine.volume.commit((error) => (answer.told = error?.code ?? 'durable'), checkpoint);
    return answer;
  };
  const changeOne = (): void => change(machine, model, next);
  const fsync = (checkpoint?: boolean): { told: string } => {
    changeOne();
    return commit(checkpoint);
  };
  return Object.assign(state, machine, { late, truth, model, fsync, commit, change: changeOne, backing });
}

void test('settled: fsync returns when the keeper has the tag, and those who wait share the next one', () => {
  const volume = slow('settled');
  const first = volume.fsync();
  const [second, third] = [volume.fsync(), volume.fsync()];
  assert.deepEqual([first.told, second.told], ['nothing', 'nothing']);
  volume.late.answer();
  assert.deepEqual([first.told, second.told, third.told], ['durable', 'nothing', 'nothing']);
  volume.late.answer();
  assert.deepEqual([second.told, third.told, volume.late.asked], ['durable', 'durable', false]);
});

void test('tag-follows-100ms: fsync returns at once, and the keeper is asked for all that was promised within 75 ms', () => {
  const volume = slow('tag-follows-100ms');
  assert.equal(volume.fsync().told, 'durable');
  volume.time += 74;
  assert.equal(volume.fsync().told, 'durable');
  assert.equal(volume.volume.settlePromises(), 1);
  assert.equal(volume.late.asked, false);
  volume.time += 1;
  volume.fs.tick(0);
  assert.ok(volume.late.asked);
  volume.late.answer();
  assert.equal(Buffer.compare(volume.truth.read().tag ?? Buffer.of(), volume.volume.tag), 0);
});

void test('tag-follows-100ms: what was promised and the keeper does not have lies within 100 ms', () => {
  const volume = slow('tag-follows-100ms');
  assert.equal(volume.fsync().told, 'durable');
  volume.time += 75;
  volume.volume.settlePromises();
  volume.time += 24;
  assert.equal(volume.fsync().told, 'durable');
  volume.time += 1;
  const waits = volume.fsync();
  assert.equal(waits.told, 'nothing', 'the window is over: who asks now waits');
  // Now the keeper has the tag of the first; that of the second was promised 1 ms ago.
  volume.late.answer();
  assert.equal(waits.told, 'durable');
  volume.time += 74;
  volume.volume.settlePromises();
  volume.late.answer();
  assert.equal(Buffer.compare(volume.truth.read().tag ?? Buffer.of(), volume.volume.tag), 0);
  volume.time += 1000;
  assert.equal(volume.fsync().told, 'durable', 'a new window');
});

void test('tag-follows-100ms: a keeper out of reach stops promises after 100 ms, and is asked again by itself', () => {
  const volume = slow('tag-follows-100ms');
  assert.equal(volume.fsync().told, 'durable');
  volume.time += 75;
  volume.volume.settlePromises();
  volume.late.answer('unreachable');
  volume.time += 75;
  const waits = volume.fsync();
  volume.late.answer('unreachable');
  assert.equal(waits.told, 'VOLUME_KEEPER');
  const before = volume.volume.tag;
  assert.equal(volume.volume.settlePromises(), 1000);
  volume.time += 1000;
  volume.fs.tick(0);
  assert.ok(volume.late.asked, 'nothing was written, and it is asked all the same');
  while (volume.late.asked) volume.late.answer();
  assert.equal(Buffer.compare(volume.truth.read().tag ?? Buffer.of(), before), 0);
  assert.equal(volume.volume.settlePromises(), Infinity);
  assert.equal(volume.fsync().told, 'durable');
});

void test('tag-follows-100ms: the last commit waits for the keeper', () => {
  const volume = slow('tag-follows-100ms');
  assert.equal(volume.fsync().told, 'durable');
  const last = volume.fsync(true);
  assert.equal(last.told, 'nothing');
  volume.late.answer();
  assert.equal(last.told, 'durable');
  assert.equal(Buffer.compare(volume.truth.read().tag ?? Buffer.of(), volume.volume.tag), 0);
});

void test('tag-follows-100ms: a crash before the keeper answers loses nothing', () => {
  const volume = slow('tag-follows-100ms');
  for (let i = 0; i < 5; i++) assert.equal(volume.fsync().told, 'durable');
  const again = open(new MemoryBacking(volume.backing.files), new MemoryTagKeeper(volume.truth.read()), 9);
  assert.ok(same(contents(again), volume.model));
});

void test('tag-follows-100ms: nothing is promised that a full disk did not take', () => {
  const volume = slow('tag-follows-100ms');
  assert.equal(volume.fsync().told, 'durable');
  for (let i = 0; i < 10; i++) change(volume, volume.model, generator(i));
  volume.backing.free = 700;
  assert.equal(volume.fsync().told, 'VOLUME_FULL');
  let again = '';
  volume.volume.commit((error) => (again = error?.code ?? 'durable'));
  assert.equal(again, 'VOLUME_FULL');
  volume.backing.free = 1e9;
  assert.equal(volume.fsync().told, 'durable');
  volume.time += 75;
  volume.volume.settlePromises();
  volume.late.answer();
  const found = contents(open(new MemoryBacking(volume.backing.files), volume.truth, 9));
  assert.ok(same(found, volume.model));
});

void test('tag-follows-100ms: the keeper is never told of a commit that a full disk did not take', () => {
  const volume = slow('tag-follows-100ms');
  assert.equal(volume.fsync().told, 'durable');
  // So little that it is sealed before the disk is found to be full.
  assert.equal(volume.fs.mknod(root, name('little'), 0o100600, 0, new Entry(), caller), 0);
  volume.backing.free = 0;
  let told = '';
  volume.volume.commit((error) => (told = error?.code ?? 'durable'));
  assert.equal(told, 'VOLUME_FULL');
  volume.time += 75;
  volume.volume.settlePromises();
  volume.late.answer();
  const disk = new MemoryBacking(volume.backing.files);
  const found = contents(open(disk, new MemoryTagKeeper(volume.truth.read()), 9));
  assert.ok(same(found, volume.model), 'a crash now loses what was not promised, and raises no alarm');
});

void test('tag-follows-100ms: the first commit of a mount may meet a full disk: what is promised after it outlives a crash', () => {
  // How much the disk takes decides where the first attempt ends.
  for (let free = 0; free < 80_000; free += 1000) {
    const volume = slow('tag-follows-100ms');
    change(volume, volume.model, generator(free));
    volume.backing.free = free;
    let told = '';
    volume.volume.commit((error) => (told = error?.code ?? 'durable'));
    volume.backing.free = 1e9;
    assert.ok(['VOLUME_FULL', 'durable'].includes(told), told);
    assert.equal(volume.fsync().told, 'durable');
    const disk = new MemoryBacking(volume.backing.files);
    const found = contents(open(disk, new MemoryTagKeeper(volume.truth.read()), 9));
    assert.ok(same(found, volume.model), `${free}`);
  }
});

void test('a commit that was written ahead is flushed when it is asked for, and is the only one then', () => {
  const volume = slow('tag-follows-100ms');
  volume.fsync();
  const before = volume.volume.tag;
  volume.change();
  const steps = volume.backing.steps.length;
  volume.volume.writeAhead();
  const written = volume.backing.steps.slice(steps);
  assert.ok(written.length > 0 && written.every(({ kind }) => kind === 'write'), 'nothing is flushed');
  const { tag } = volume.volume;
  assert.notDeepEqual(tag, before);
  assert.equal(volume.commit().told, 'durable');
  assert.deepEqual(volume.volume.tag, tag, 'no second commit');
  assert.ok(volume.backing.steps.slice(steps).some(({ kind }) => kind === 'sync'));
});

void test('a commit that could not be written ahead is tried again by the one that is asked for', () => {
  const volume = slow('tag-follows-100ms');
  volume.fsync();
  volume.change();
  volume.backing.free = 0;
  volume.volume.writeAhead();
  assert.equal(volume.volume.failure, undefined);
  assert.equal(volume.commit().told, 'VOLUME_FULL');
  volume.backing.free = 1e12;
  assert.equal(volume.commit().told, 'durable');
});
