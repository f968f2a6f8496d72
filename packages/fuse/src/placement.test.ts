import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { PlacementGuard } from './placement-guard.ts';
import { Placement, placementCell, placementCells } from './placement.ts';

/** What was done to the thread: the processor it went to, or what else. */
let steps: (number | 'hurries' | 'restored' | `first on ${number}`)[] = [];
let clock = 0;
/** Part of a processor that the thread takes. */
let share = 0;
let used = 0;
/** Whether it may come before everybody. */
let first = false;
/** The processor that the disk tells. */
let told = 1;
let runsOn = new Map<number, number>();
let cells: Int32Array;
let calls = 0;
let placement: Placement;

const scheduling = {
  thread: 77,
  giveWayOn: (processor: number) => {
    steps.push(processor);
    return true;
  },
  comeFirst: (processor: number | undefined) => {
    const step = `first on ${processor ?? -1}` as const;
    if (first && steps.at(-1) !== step) steps.push(step);
    return first;
  },
  hurry: () => {
    steps.push('hurries');
  },
  restore: () => {
    steps.push('restored');
  },
};

/** `count` requests of `asker`, each `milliseconds` after the other. */
const ask = (asker: number, count: number, milliseconds = 0.02, size = 100): void => {
  for (let i = 0; i < count; i++) {
    clock += milliseconds;
    used += milliseconds * share;
    placement.served(asker, size, false);
  }
};

beforeEach(() => {
  steps = [];
  clock = used = share = 0;
  first = false;
  told = 1;
  calls = 0;
  runsOn = new Map([
    [5, 1],
    [6, 0],
  ]);
  cells = new Int32Array(new SharedArrayBuffer(placementCells * 4));
  placement = new Placement({
    scheduling,
    cells,
    callGuard: () => calls++,
    now: () => clock,
    used: () => used,
    processor: () => told,
    processorOf: (thread) => runsOn.get(thread) ?? -1,
  });
});

void describe('the thread goes beside whoever asks', () => {
  void test('when one program asks quickly, and follows it to another processor', () => {
    ask(5, 32);
    assert.deepEqual([steps, placement.beside, calls], [[1], true, 1]);
    runsOn.set(5, 3);
    ask(5, 32);
    assert.deepEqual(steps, [1, 3]);
  });

  void test('when one process runs after the other, to each of them at once', () => {
    ask(5, 32);
    ask(6, 1);
    assert.deepEqual([steps, placement.beside], [[1, 0], true]);
  });

  void test('whatever the kernel asks for itself', () => {
    for (let i = 0; i < 32; i++) {
      ask(5, 1);
      ask(0, 1);
    }
    assert.equal(placement.beside, true);
  });

  void test('however often it flushes, and however long the disk takes for it', () => {
    for (let i = 0; i < 32; i++) {
      ask(5, 1);
      clock += 50;
      placement.served(5, 0, true);
    }
    assert.equal(placement.beside, true);
    ask(5, 31);
    clock += 50;
    placement.served(5, 0, true);
    ask(5, 32);
    assert.deepEqual([placement.beside, steps], [true, [1]]);
  });

  void test('but not of two who ask at a time', () => {
    for (let i = 0; i < 100; i++) ask(5 + (i % 2), 1);
    assert.deepEqual(steps, []);
    ask(5, 64);
    assert.deepEqual(steps, [1]);
    for (let i = 0; i < 100; i++) ask(5 + (i % 2), 1);
    assert.equal(placement.beside, false);
  });

  void test('but not of several whose flushes part them', () => {
    for (let i = 0; i < 400; i++) {
      ask(5 + (i % 2), 9);
      placement.served(5 + (i % 2), 0, true);
    }
    ask(5, 40);
    assert.equal(placement.beside, true);
    for (let i = 0; i < 400; i++) {
      ask(5 + (i % 2), 2);
      placement.served(5 + (i % 2), 0, true);
    }
    assert.equal(placement.beside, false);
    ask(5, 12);
    assert.equal(placement.beside, false);
  });

  void test('but not of one who asks slowly', () => {
    ask(5, 200, 1);
    assert.deepEqual(steps, []);
  });

  void test('but not for a stream of large reads, which two processors carry faster', () => {
    ask(5, 200, 0.1, 128 * 1024);
    assert.deepEqual(steps, []);
  });

  void test('but not of one whom nobody knows', () => {
    ask(9, 200);
    assert.deepEqual(steps, []);
  });

  void test('but not where it may not run', () => {
    placement = new Placement({
      scheduling: { ...scheduling, giveWayOn: () => false },
      cells,
      callGuard: () => calls++,
      now: () => clock,
      used: () => used,
      processorOf: () => 1,
    });
    ask(5, 32);
    assert.deepEqual([placement.beside, steps], [false, ['restored']]);
  });
});

void describe('it goes apart', () => {
  void test('when nobody asks, and comes back soon', () => {
    ask(5, 32);
    placement.quiet();
    assert.deepEqual([placement.beside, steps], [false, [1, 'restored']]);
    placement.quiet();
    assert.equal(steps.length, 2);
    ask(5, 8);
    assert.equal(placement.beside, true);
  });

  void test('when requests have become slow, and stays away for some time', () => {
    ask(5, 32);
    ask(5, 32, 2);
    assert.equal(placement.beside, false);
    ask(5, 64);
    assert.equal(placement.beside, false);
    ask(5, 32);
    assert.equal(placement.beside, true);
  });

  void test('at the end', () => {
    ask(5, 32);
    placement.end();
    assert.deepEqual(steps, [1, 'restored']);
  });
});

void describe('it hurries', () => {
  /** Clients of a database: each writes `writes` times and flushes. */
  const clients = (writes: number, turns: number): void => {
    for (let i = 0; i < turns; i++) {
      ask(5 + (i % 2), writes);
      placement.served(5 + (i % 2), 0, true);
    }
  };

  void test('while several wait for the flushes of each other', () => {
    clients(1, 100);
    assert.deepEqual([steps, placement.hurries, placement.beside], [['hurries'], true, false]);
    ask(5, 100);
    assert.deepEqual([steps, placement.hurries], [['hurries', 'restored', 1], false]);
  });

  void test('but not for one who flushes, however often', () => {
    for (let i = 0; i < 200; i++) {
      ask(5, 1, 2);
      placement.served(5, 0, true);
    }
    assert.deepEqual([steps, placement.hurries], [[], false]);
  });

  void test('but not for several who seldom flush', () => {
    clients(31, 20);
    for (let i = 0; i < 320; i++) ask(5 + (i % 2), 1);
    assert.equal(placement.hurries, false);
    assert.ok(!steps.includes('hurries'));
  });

  void test('until the end', () => {
    clients(1, 100);
    placement.end();
    assert.deepEqual([steps, placement.hurries], [['hurries', 'restored'], false]);
  });

  void test('and comes before everybody where it may, on the processor that the disk tells', () => {
    first = true;
    share = 0.4;
    clients(1, 1000);
    told = 0;
    clients(1, 20_000);
    placement.end();
    assert.deepEqual(steps, ['first on 1', 'first on 0', 'restored']);
  });

  void test('and no longer where it takes more than half of a processor, for a while', () => {
    first = true;
    share = 0.4;
    clients(1, 20_000);
    share = 0.6;
    clients(1, 30_000);
    assert.deepEqual([steps, placement.hurries], [['first on 1', 'hurries'], true]);
    share = 0.4;
    clients(1, 60_000);
    assert.deepEqual(steps, ['first on 1', 'hurries', 'first on 1']);
  });
});

void describe('the guard', () => {
  void test('puts a thread back that serves less than it could, which then stays away longer each time', () => {
    let restored = 0;
    const guard = new PlacementGuard(cells, { thread: 77, restore: () => restored++ }, () => true);
    const away = (): number => {
      let asked = 0;
      while (!placement.beside) {
        ask(5, 1);
        asked++;
      }
      return asked;
    };
    away();
    const waits = [1, 2, 3].map(() => {
      guard.look();
      guard.look();
      ask(5, 32);
      assert.equal(placement.beside, false);
      return away();
    });
    assert.equal(restored, 3);
    assert.deepEqual(
      waits,
      [2, 4, 8].map((spans) => (spans + 1) * 32),
    );
  });

  void test('is not undone by an asker who moves', () => {
    const guard = new PlacementGuard(
      cells,
      { thread: 77, restore: () => steps.push('restored') },
      () => true,
    );
    ask(5, 32);
    guard.look();
    guard.look();
    assert.deepEqual(steps, [1, 'restored']);
    runsOn.set(5, 3);
    placement.missed();
    placement.missed();
    assert.deepEqual([placement.beside, steps], [false, [1, 'restored']]);
    ask(5, 64);
    assert.equal(placement.beside, false);
  });

  void test('leaves a thread alone that serves, waits for the disk, or does not give way', () => {
    let runnable = true;
    const restore = (): void => assert.fail('it was put back');
    const guard = new PlacementGuard(cells, { thread: 77, restore }, () => runnable);
    guard.look();
    guard.look();
    ask(5, 32);
    for (let i = 0; i < 10; i++) {
      guard.look();
      ask(5, 8);
    }
    guard.look();
    runnable = false;
    guard.look();
    assert.equal(Atomics.load(cells, placementCell.beside), 1);
  });

  void test('is there while a thread gives way, and leaves some time after', async () => {
    const guard = new PlacementGuard(cells, { thread: 77, restore: () => undefined });
    const guarded = (): boolean => Atomics.load(cells, placementCell.guarded) === 1;
    guard.call();
    assert.equal(guarded(), true);
    const end = performance.now() + 20_000;
    while (guarded() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(guarded(), false);
  });
});
