import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Entry } from '@ensconce/fuse/attributes';
import {
  aead,
  caller,
  change,
  contents,
  create,
  generator,
  name,
  open,
  root,
  same,
  volumeKey,
} from '../test/machine.ts';
import { MemoryBacking } from '../test/memory-backing.ts';
import { checkVolume } from './check.ts';
import { decodeHeader, encodeHeader, headerFile } from './header.ts';
import { VolumeError } from './errors.ts';
import { VolumeFilesystem } from './filesystem.ts';
import { MemoryTagKeeper, UnprotectedTagKeeper } from './tag-keeper.ts';
import { Volume } from './volume.ts';

/** A volume with some files in it, closed properly. */
function sample(): { backing: MemoryBacking; keeper: MemoryTagKeeper; model: Map<string, Buffer> } {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const machine = open(backing, keeper, 4);
  const model = new Map<string, Buffer>();
  const next = generator(21);
  for (let i = 0; i < 40; i++) {
    change(machine, model, next);
    if (i % 5 === 0) machine.volume.commitAndWait();
  }
  machine.fs.destroy();
  machine.volume.close();
  return { backing, keeper, model };
}

const copy = (backing: MemoryBacking): MemoryBacking =>
  new MemoryBacking(new Map([...backing.files].map(([name, bytes]) => [name, Uint8Array.from(bytes)])));

void test('a changed byte anywhere is refused or answered with an error, never with other data', () => {
  const { backing, keeper, model } = sample();
  const state = keeper.read();
  let noticed = 0;
  let cases = 0;
  for (const [name, bytes] of backing.files) {
    const step = Math.max(1, Math.floor(bytes.length / 150));
    for (let at = 0; at < bytes.length; at += step) {
      const other = copy(backing);
      ((other.files.get(name) as Uint8Array)[at] as number) ^= 0x40;
      cases++;
      try {
        const found = contents(open(other, new MemoryTagKeeper(state), 9));
        assert.ok(same(found, model), `${name} at ${at}`);
      } catch (error) {
        assert.ok(error instanceof VolumeError, String(error));
        noticed++;
      }
    }
  }
  // Bytes of frames that nothing refers to any more do not matter.
  assert.ok(cases > 300 && noticed > cases / 4, `${noticed} of ${cases}`);
});

void test('files cut short, made longer, exchanged or gone are noticed', () => {
  const { backing, keeper, model } = sample();
  const state = keeper.read();
  const names = [...backing.files.keys()];
  for (const name of names) {
    const bytes = backing.files.get(name) as Uint8Array;
    const variants: (Uint8Array | undefined)[] = [
      undefined,
      new Uint8Array(),
      bytes.slice(0, bytes.length / 2),
      Uint8Array.from([...bytes, 1, 2, 3]),
      ...names.filter((other) => other !== name).map((other) => backing.files.get(other)),
    ];
    for (const variant of variants) {
      const other = copy(backing);
      if (variant) other.files.set(name, variant);
      else other.files.delete(name);
      try {
        assert.ok(same(contents(open(other, new MemoryTagKeeper(state), 9)), model), name);
      } catch (error) {
        assert.ok(error instanceof VolumeError, String(error));
      }
    }
  }
});

void test('an initialised volume that is empty is refused, and never made anew', () => {
  const { keeper } = sample();
  const empty = new MemoryBacking();
  assert.throws(() => open(empty, keeper, 1), { code: 'VOLUME_MISSING' });
  assert.throws(() => create(empty, keeper), { code: 'VOLUME_MISSING' });
  assert.equal(empty.files.size, 0);
});

void test('a volume is not made where files are', () => {
  const backing = new MemoryBacking(new Map([['precious', new Uint8Array(3)]]));
  assert.throws(() => create(backing, new MemoryTagKeeper()), { code: 'VOLUME_EXISTS' });
  assert.deepEqual([...backing.files.keys()], ['precious']);
});

void test('a writer that was superseded fails, and does not harm its successor', () => {
  const { backing, keeper, model } = sample();
  const first = open(backing, keeper, 31);
  const ours = new Map(model);
  change(first, ours, generator(5));
  first.volume.commitAndWait();
  const second = open(backing, keeper, 32);
  assert.ok(same(contents(second), ours));
  change(first, new Map(ours), generator(6));
  assert.throws(() => first.volume.commitAndWait(), { code: 'VOLUME_SUPERSEDED' });
  assert.throws(() => change(first, new Map(ours), generator(7)));
  const next = generator(8);
  for (let i = 0; i < 20; i++) {
    change(second, ours, next);
    second.volume.commitAndWait();
  }
  assert.ok(same(contents(open(backing, keeper, 33)), ours));
});

void test('without a keeper the newest state counts, and --tag refuses older ones', () => {
  const { backing, keeper, model } = sample();
  const { tag } = keeper.read();
  assert.ok(same(contents(open(copy(backing), new UnprotectedTagKeeper(), 3)), model));
  assert.ok(same(contents(open(copy(backing), new UnprotectedTagKeeper(tag), 3)), model));
  assert.throws(() => open(copy(backing), new UnprotectedTagKeeper(new Uint8Array(32).fill(1)), 3), {
    code: 'VOLUME_ROLLED_BACK',
  });
});

void test('a full backing directory gives VOLUME_FULL, and once there is room everything is written', () => {
  const { backing, keeper, model } = sample();
  const machine = open(backing, keeper, 41);
  const next = generator(51);
  for (let i = 0; i < 10; i++) change(machine, model, next);
  backing.free = 700;
  assert.throws(() => machine.volume.commitAndWait(), { code: 'VOLUME_FULL' });
  backing.free = 20_000;
  assert.throws(() => machine.volume.commitAndWait(), { code: 'VOLUME_FULL' });
  backing.free = 1e9;
  machine.volume.commitAndWait();
  assert.ok(same(contents(machine), model));
  assert.ok(same(contents(open(backing, keeper, 42)), model));
});

void test('space is given back when files go', () => {
  const { backing, keeper } = sample();
  let machine = open(backing, keeper, 61);
  for (let round = 0; round < 30; round++) {
    const model = new Map(contents(machine)) as Map<string, Buffer>;
    const next = generator(round);
    for (let i = 0; i < 20; i++) change(machine, model, next);
    machine.volume.commitAndWait(true);
    assert.deepEqual(checkVolume({ volume: machine.volume }).problems, []);
    if (round % 10 === 9) machine = open(backing, keeper, 62 + round);
  }
  let size = 0;
  for (const bytes of backing.files.values()) size += bytes.length;
  assert.ok(size < 12 * 1024 * 1024, String(size));
});

void test('sparse segments are emptied while their contents move', () => {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const machine = open(backing, keeper, 91, 400_000);
  const make = (text: string, size: number, fill: number): number => {
    const entry = new Entry();
    machine.fs.lookup(root, name(text), entry);
    if (entry.node === 0) assert.equal(machine.fs.mknod(root, name(text), 0o100644, 0, entry, caller), 0);
    machine.fs.write(entry.node, 0, 0, size, Buffer.alloc(size, fill), 0, 0);
    machine.fs.after();
    return entry.node;
  };
  const kept: number[] = [];
  let largest = 0;
  for (let round = 1; round <= 120; round++) {
    make('churn', 80_000, round);
    kept.push(make(`kept-${round}`, 300, round));
    machine.volume.commitAndWait(true);
    machine.fs.tick(round * 10_000);
    machine.fs.tick(round * 10_000 + 5000);
    largest = Math.max(
      largest,
      [...backing.files.values()].reduce((sum, bytes) => sum + bytes.length, 0),
    );
  }
  // Without compaction every segment would stay for its one small file.
  assert.ok(largest < 1_500_000, String(largest));
  assert.deepEqual(checkVolume({ volume: machine.volume }).problems, []);
  const again = open(backing, keeper, 92);
  kept.forEach((node, i) => {
    const data = Buffer.alloc(300);
    assert.equal(again.fs.read(node, 0, 0, 300, data, 0), 300);
    assert.ok(data.equals(Buffer.alloc(300, i + 1)));
  });
});

void test('a header opens with its key alone, and not with unknown versions or features', () => {
  const header = { volumeId: randomBytes(16), master: randomBytes(32) };
  const bytes = encodeHeader(header, volumeKey, randomBytes(32));
  assert.deepEqual(Buffer.from(decodeHeader(bytes, volumeKey).master), header.master);
  assert.throws(() => decodeHeader(bytes, new Uint8Array(32)), { code: 'VOLUME_KEY' });
  for (let at = 0; at < bytes.length; at++) {
    const other = Uint8Array.from(bytes);
    (other[at] as number) ^= 1;
    assert.throws(() => decodeHeader(other, volumeKey), VolumeError);
  }
  assert.throws(() => decodeHeader(Uint8Array.from(bytes).fill(9, 8, 9), volumeKey), {
    code: 'VOLUME_FORMAT',
  });
  assert.throws(() => decodeHeader(Uint8Array.from(bytes).fill(1, 12, 13), volumeKey), {
    code: 'VOLUME_FORMAT',
  });
  assert.throws(() => decodeHeader(bytes.subarray(1), volumeKey), { code: 'VOLUME_FORMAT' });
  assert.equal(headerFile, 'volume');
});

void test('a small full directory has room again when some of many files go, wherever they lie', () => {
  const backing = new MemoryBacking();
  backing.total = backing.free = 96 * 1024 * 1024;
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const lines: string[] = [];
  const log = (line: string): number => lines.push(line);
  const options = { backing, keeper, volumeKey, aead, log };
  const volume = Volume.open({ ...options, random: (size) => randomBytes(size) });
  let time = 0;
  const now = (): { seconds: number; nanoseconds: number } => ({ seconds: 1, nanoseconds: 0 });
  const fs = new VolumeFilesystem({ volume, backing, now, log });
  const data = Buffer.alloc(256 * 1024, 'x');
  const write = (text: string): void => {
    const entry = new Entry();
    assert.equal(fs.mknod(root, name(text), 0o100644, 0, entry, caller), 0);
    fs.write(entry.node, 0, 0, data.length, data, 0, 0);
    fs.after();
    fs.forget(entry.node, 1);
  };
  let count = 0;
  assert.throws(
    () => {
      for (; ; count++, fs.tick((time += 30))) write(String(count));
    },
    { message: 'ENOSPC' },
  );
  assert.ok(count > 256, String(count));
  // One in eight: no segment becomes empty by itself.
  for (let i = 0; i < count; i += 8) assert.equal(fs.unlink(root, name(String(i))), 0);
  for (let i = 0; i < 12; i++) fs.tick((time += 1000));
  for (let i = 0; i < count / 20; i++) write(`again ${i}`);
  volume.commitAndWait();
  assert.deepEqual(checkVolume({ volume }).problems, []);
  assert.deepEqual(lines, []);
  volume.close();
});

void test('a full directory has room again when files go, also what lies in the newest segment', () => {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const volume = Volume.open({
    backing,
    keeper,
    volumeKey,
    aead,
    random: (size) => randomBytes(size),
    log: (line) => assert.fail(line),
  });
  let time = 0;
  const now = (): { seconds: number; nanoseconds: number } => ({ seconds: time++, nanoseconds: 0 });
  const fs = new VolumeFilesystem({ volume, backing, now, log: (line) => assert.fail(line) });
  const make = (text: string): number => {
    const entry = new Entry();
    assert.equal(fs.mknod(root, name(text), 0o100644, 0, entry, caller), 0);
    return entry.node;
  };
  const data = Buffer.alloc(1024 * 1024, 'x');
  const kept = make('kept');
  fs.write(kept, 0, 0, 9, Buffer.from('precious!'), 0, 0);
  fs.after();
  const large = make('large');
  for (let i = 0; i < 20; i++) {
    fs.write(large, 0, i * data.length, data.length, data, 0, 0);
    fs.after();
  }
  volume.commitAndWait();
  const size = (): number => [...backing.files.values()].reduce((sum, { length }) => sum + length, 0);
  assert.ok(size() > 20e6);
  backing.free = 1024 * 1024;
  fs.tick(0);
  assert.throws(() => fs.write(large, 0, 0, data.length, data, 0, 0), { message: 'ENOSPC' });
  assert.equal(fs.unlink(root, name('large')), 0);
  fs.forget(large, 1);
  for (let i = 1; i < 5; i++) fs.tick(i * 2000);
  assert.ok(size() < 1e6, String(size()));
  assert.deepEqual(checkVolume({ volume }).problems, []);
  const out = Buffer.alloc(9);
  assert.equal(fs.read(kept, 0, 0, 9, out, 0), 9);
  assert.equal(out.toString(), 'precious!');
});
