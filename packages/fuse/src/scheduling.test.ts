import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { availableParallelism, getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadNative } from './native.ts';
import { isRunnable, processorOf, Scheduling } from './scheduling.ts';

const cannotChange =
  process.getuid?.() === 0 && availableParallelism() > 1 ? false : 'root and two processors are needed';

const allowed = (): string | undefined =>
  /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[1];
/** The field `policy` of proc_pid_stat(5). */
const policy = (): string | undefined =>
  readFileSync('/proc/thread-self/stat', 'utf8').split(') ').at(-1)?.split(' ')[38];

void test('a thread gives way on one processor, and is as it was afterwards', { skip: cannotChange }, () => {
  const scheduling = Scheduling.own(loadNative());
  assert.ok(scheduling);
  const before = [allowed(), policy()];
  try {
    assert.equal(scheduling.giveWayOn(1), true);
    assert.deepEqual([allowed(), policy()], ['1', '5']);
    assert.equal(processorOf(process.pid), 1);
    assert.equal(scheduling.giveWayOn(0), true);
    assert.equal(processorOf(process.pid), 0);
    assert.equal(scheduling.giveWayOn(1000), false);
    // Whoever starts it with a policy of his choice keeps that.
    assert.equal(Scheduling.own(loadNative()), undefined);
  } finally {
    scheduling.restore();
  }
  assert.deepEqual([allowed(), policy()], before);
});

void test(
  'a thread that hurries comes before others, and is as it was afterwards',
  { skip: cannotChange },
  () => {
    const scheduling = Scheduling.own(loadNative());
    assert.ok(scheduling);
    const nice = (): number => getPriority();
    const before = [nice(), policy()];
    try {
      scheduling.hurry();
      assert.deepEqual([nice(), policy()], [Math.max(-20, (before[0] as number) - 5), '0']);
      assert.equal(scheduling.giveWayOn(0), true);
      assert.equal(policy(), '5');
    } finally {
      scheduling.restore();
    }
    assert.deepEqual([nice(), policy()], before);
  },
);

void test(
  'a thread that comes first does so where the disk tells, and is as it was afterwards',
  { skip: cannotChange },
  (t) => {
    const scheduling = Scheduling.own(loadNative());
    assert.ok(scheduling);
    const priority = (): string | undefined =>
      readFileSync('/proc/thread-self/stat', 'utf8').split(') ').at(-1)?.split(' ')[37];
    const before = [allowed(), policy(), getPriority()];
    try {
      if (!scheduling.comeFirst(1)) {
        // Control groups of the first version have a share of such time each, which is none unless given.
        t.skip('this machine gives nobody a real-time priority');
        return;
      }
      assert.deepEqual([allowed(), policy(), priority()], ['1', '1', '1']);
      assert.equal(scheduling.comeFirst(1000), true);
      scheduling.hurry();
      assert.deepEqual([allowed(), policy(), priority()], [before[0], '0', '0']);
    } finally {
      scheduling.restore();
    }
    assert.deepEqual([allowed(), policy(), getPriority()], before);
  },
);

void test('the processor of a program is found whatever the program is called', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-scheduling-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, ') S 1 (2) 3');
  copyFileSync('/bin/sleep', path);
  const child = spawn(path, ['60']);
  t.after(() => child.kill());
  const name = `/proc/${child.pid}/comm`;
  while (!readFileSync(name, 'utf8').startsWith(')')) await sleep(5);
  const processor = processorOf(child.pid as number);
  assert.ok(processor >= 0 && processor < availableParallelism(), String(processor));
});

void test('a program that has ended runs nowhere', async () => {
  const child = spawn('/bin/true');
  await new Promise((resolve) => child.once('exit', resolve));
  assert.equal(processorOf(child.pid as number), -1);
});

void test('a thread that runs is told from one that has ended, or waits', () => {
  const own = Number(readlinkSync('/proc/thread-self').split('/')[2]);
  assert.equal(isRunnable(own), true);
  assert.equal(isRunnable(2 ** 22 + 1), false);
  // Threads of the pool wait for work.
  const others = readdirSync('/proc/self/task').map(Number);
  assert.ok(others.some((thread) => thread !== own && !isRunnable(thread)));
});
