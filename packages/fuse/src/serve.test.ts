import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  statSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cannotMount, mounted, scratch } from '../test/mounted.ts';
import { serveFilesystem } from './serve.ts';

const options = { skip: cannotMount };
const root = {
  kind: 'directory',
  children: { a: { kind: 'file', data: Buffer.alloc(2_000_000, 'a') } },
} as const;

void test('unmounting gives the directory back and resolves closed', options, async (t) => {
  const { served, path } = await mounted(t, { root });
  assert.deepEqual(readdirSync(path), ['a']);
  await served.unmount();
  assert.equal(await served.closed, undefined);
  assert.deepEqual(readdirSync(path), []);
  await served.unmount();
});

void test('a file system in use stays, unless it is unmounted lazily', options, async (t) => {
  const { served, path } = await mounted(t, { root });
  const fd = openSync(join(path, 'a'), 'r');
  await assert.rejects(served.unmount(), { code: 'FUSE_BUSY' });
  const byte = Buffer.alloc(1);
  assert.equal(readSync(fd, byte, 0, 1, 0), 1);
  const before = performance.now();
  await served.unmount({ lazy: true, graceMs: 50 });
  assert.ok(performance.now() - before < 5000);
  assert.deepEqual(readdirSync(path), []);
  assert.throws(() => readSync(fd, byte, 0, 1, 1_999_999), { code: 'ENOTCONN' });
  assert.throws(() => closeSync(fd), { code: 'ENOTCONN' });
});

void test(
  'when the worker dies, users get ENOTCONN and the directory below stays hidden',
  options,
  async (t) => {
    const { served, path } = await mounted(t, { root });
    served.post('die');
    const error = await served.closed;
    assert.match(String(error), /worker/);
    assert.throws(() => statSync(path), { code: 'ENOTCONN' });
    await assert.rejects(readFile(join(path, 'a')), { code: 'ENOTCONN' });
    await served.unmount();
    assert.deepEqual(readdirSync(path), []);
  },
);

void test('a file system that cannot start is not mounted', options, async (t) => {
  const path = scratch(t);
  await assert.rejects(
    serveFilesystem({
      mountpoint: path,
      worker: new URL('../test/memory-worker.ts', import.meta.url),
      data: { failAtStart: true },
    }),
    { code: 'FUSE_WORKER', message: /the key does not fit/ },
  );
  assert.deepEqual(readdirSync(path), []);
});

void test('a mount that the kernel refuses is an error that names the place', options, async () => {
  await assert.rejects(
    serveFilesystem({
      mountpoint: '/nowhere/at/all',
      worker: new URL('../test/memory-worker.ts', import.meta.url),
      data: { root },
    }),
    { code: 'FUSE_MOUNT', message: '/nowhere/at/all: a mount expected, ENOENT found' },
  );
});

void test('a missing device is an error with a hint', async () => {
  await assert.rejects(
    serveFilesystem({
      mountpoint: '/',
      devicePath: '/nowhere/fuse',
      worker: new URL('../test/memory-worker.ts', import.meta.url),
      data: { root },
    }),
    { code: 'FUSE_DEVICE', hint: /--device \/dev\/fuse/ },
  );
});

void test('parent and file system exchange messages, and idleness costs no processor', options, async (t) => {
  const messages: unknown[] = [];
  const { served, path } = await mounted(t, { root }, { onMessage: (value) => messages.push(value) });
  served.post('hello');
  for (let i = 0; i < 100 && messages.length === 0; i++) await sleep(10);
  assert.deepEqual(messages, [{ echo: 'hello' }]);
  assert.equal(readFileSync(join(path, 'a')).length, 2_000_000);
  const before = process.cpuUsage();
  await sleep(500);
  const spent = process.cpuUsage(before);
  assert.ok(spent.user + spent.system < 100_000, `${spent.user + spent.system} µs`);
});

/** Scheduling policies (proc_pid_stat(5), field 41) of this process's threads. */
const policies = (): Set<string | undefined> =>
  new Set(
    readdirSync('/proc/self/task').map((thread) => {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38];
    }),
  );
const schedIdle = '5';

void test(
  'the worker gives way to a program that asks one thing after the other, and no longer when it is quiet',
  { skip: cannotMount || (availableParallelism() < 2 && 'two processors are needed') },
  async (t) => {
    const { path } = await mounted(t, { root });
    const asks = `for (let i = 0; ; i++) fs.existsSync(process.argv[1] + i)`;
    const child = spawn(process.execPath, ['-e', asks, join(path, 'missing')]);
    t.after(() => child.kill('SIGKILL'));
    const becomes = async (giving: boolean): Promise<boolean> => {
      for (let i = 0; i < 20_000 && policies().has(schedIdle) !== giving; i++) await sleep(1);
      return policies().has(schedIdle);
    };
    assert.equal(await becomes(true), true);
    child.kill('SIGKILL');
    assert.equal(await becomes(false), false);
  },
);

void test('the kernel reads as far ahead as was asked for', options, async (t) => {
  const { path } = await mounted(t, { root }, { readAhead: 512 * 1024 });
  const { dev } = statSync(path);
  const folder = `/sys/class/bdi/${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  try {
    accessSync(`${folder}/read_ahead_kb`, constants.W_OK);
  } catch {
    t.skip('SKIPPED: /sys is read-only here');
    return;
  }
  assert.equal(readFileSync(`${folder}/read_ahead_kb`, 'utf8'), '512\n');
});

void test('the bare addon serves where there is no npm package', options, async (t) => {
  const folder = `../../../node_modules/@koromix/koffi-linux-${process.arch}/linux_${process.arch}`;
  const koffiPath = fileURLToPath(new URL(`${folder}/koffi.node`, import.meta.url));
  const { path } = await mounted(t, { root }, { koffiPath });
  assert.deepEqual(readdirSync(path), ['a']);
});
