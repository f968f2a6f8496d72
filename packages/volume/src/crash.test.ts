import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LateKeeper } from '../test/late-keeper.ts';
import { change, contents, create, fileCount, generator, open, overwrite, same } from '../test/machine.ts';
import type { Tree } from '../test/machine.ts';
import { MemoryBacking, writeInto } from '../test/memory-backing.ts';
import type { Step } from '../test/memory-backing.ts';
import { checkVolume } from './check.ts';
import { VolumeError } from './errors.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import type { TagState } from './tag-keeper.ts';
import type { Durability } from './settlement.ts';

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
    if (step.kind === 'create') files.set(step.name, files.get(step.name) ?? step.bytes ?? new Uint8Array());
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
function run(seed: number, changes: number, durability: Durability = 'settled') {
  const backing = new MemoryBacking();
  const states: Moment[] = [];
  const keeper = new MemoryTagKeeper({ tag: undefined, epoch: 0 }, (state) =>
    states.push({ steps: backing.steps.length, state }),
  );
  create(backing, keeper);
  const late = new LateKeeper(keeper);
  const early = durability === 'tag-follows-100ms';
  let time = 0;
  const compacts = seed % 3 === 2;
  const machine = open(
    backing,
    early ? late : keeper,
    seed,
    compacts ? 30_000 : undefined,
    durability,
    () => time,
  );
  let emptied = 0;
  const { volume } = machine;
  const movePages = volume.movePages.bind(volume);
  volume.movePages = (segments) => {
    movePages(segments);
    emptied += segments.size;
  };
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
  let fullDisks = 0;
  for (let i = 0; i < changes; i++) {
    change(machine, model, next);
    trees.push(new Map(model));
    // A part of what sparse segments hold moves, as when nobody asks.
    if (compacts) for (let j = 0; j < 4; j++) machine.fs.tick((i * 4 + j) * 700);
    if (seed % 3 === 1) {
      // Segments become empty soon, and their files are used again.
      overwrite(machine, model, i);
      trees.push(new Map(model));
    }
    if (early && next(4) === 0) machine.volume.writeAhead();
    if (next(seed % 3 === 1 ? 2 : 4) === 0) {
      const full = next(4) === 0;
      if (full) backing.free = next(8) === 0 ? 0 : next(5000);
      try {
        machine.volume.commitAndWait(next(6) === 0 && !early);
        promises.push({ steps: backing.steps.length, least: trees.length - 1 });
      } catch (error) {
        // Nothing is promised that the disk has no room for; the program goes on, and later there is room.
        if (!(full && error instanceof VolumeError && error.code === 'VOLUME_FULL')) throw error;
        fullDisks++;
      }
    }
    if (next(5) === 0) late.answer();
    if (next(3) === 0 && !late.asked) {
      time += 75;
      machine.volume.settlePromises();
    }
    if (next(2) === 0) late.answer();
    backing.free = 1e12;
  }
  return { fullDisks, emptied, backing, base, start, states, trees, promises };
}

function keeperAt(history: { start: TagState; states: readonly Moment[] }, steps: number): TagState {
  return history.states.findLast((moment) => moment.steps <= steps)?.state ?? history.start;
}

void test('after a crash at any step, with steps lost, torn, out of order or without room, all that was fsynced is there', () => {
  let [cases, fullDisks, reused, emptied] = [0, 0, 0, 0];
  for (let seed = 1; seed <= 9; seed++) {
    // Every third run tells those who wait before the keeper has the tag.
    const history = run(seed, 70, seed % 3 === 0 ? 'tag-follows-100ms' : 'settled');
    const { steps } = history.backing;
    fullDisks += history.fullDisks;
    reused += history.backing.renames;
    emptied += history.emptied;
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
        assert.equal(fileCount(machine), found.size + 1, 'files that had no name are gone');
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
          assert.deepEqual(checkVolume({ volume: again.volume }).problems, []);
        }
      }
    }
  }
  const counted = `${cases} cases, ${fullDisks} full disks, ${reused} files used again, ${emptied} segments emptied`;
  assert.ok(cases > 2500 && fullDisks > 15 && reused > 30 && emptied > 10, counted);
});

void test('every older state of the directory is refused, also by one step', () => {
  const history = run(11, 80);
  const { steps } = history.backing;
  let refused = 0;
  for (let end = 0; end <= steps.length; end++) {
    const files = crashed(history.base, steps, end, () => 'kept');
    for (const moment of history.states) {
      if (moment.steps <= end) continue;
      // The keeper has a tag whose state is not in the directory yet, unless its last step was all that was missing.
      // Zeros written ahead are no part of a state.
      const later = steps
        .slice(end, moment.steps)
        .some((step) => step.kind === 'write' && step.bytes.some((byte) => byte !== 0));
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
