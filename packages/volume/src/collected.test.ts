/** Volumes with durability `collected-100ms`, where the kernel collects what is written. What both ways have in common is in `posix.test.ts`. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadNative } from '@ensconce/fuse/native';
import type { ServedFilesystem } from '@ensconce/fuse/serve';
import { needsMounts, place, serve, volumeKey } from '../test/served-volume.ts';
import type { Place } from '../test/served-volume.ts';
import { check, createVolume } from './commands.ts';
import { mountVolume } from './mount.ts';

const run = promisify(execFile);

function mounting(here: Place): { mount: () => Promise<ServedFilesystem>; checked: () => Promise<string[]> } {
  const volume = { directory: here.directory, volumeKey, keeper: { kind: 'file', path: here.tag } } as const;
  createVolume(volume);
  return {
    mount: () =>
      mountVolume({
        ...volume,
        mountpoint: here.mountpoint,
        durability: 'collected-100ms',
        log: () => undefined,
      }),
    checked: async () => [...(await check(volume)).problems],
  };
}

async function python(lines: readonly string[], ...args: string[]): Promise<string> {
  return (await run('python3', ['-c', lines.join('\n'), ...args])).stdout;
}

void test('it does what programs expect of a file system, also over a remount', needsMounts, async (t) => {
  const here = place(t);
  const { mount, checked } = mounting(here);
  let served = await mount();
  const script = fileURLToPath(new URL('../test/posix.py', import.meta.url));
  assert.equal((await run('python3', [script, here.mountpoint, '1', '400', 'no-holes'])).stdout, 'whole\n');
  const seen = async (): Promise<string> => {
    const list =
      'find . -type f -printf "%p %s %T@ %m\\n" | sort; find . -type f -print0 | sort -z | xargs -0 md5sum';
    return (await run('sh', ['-c', list], { cwd: here.mountpoint })).stdout;
  };
  const before = await seen();
  await served.unmount();
  served = await mount();
  assert.equal(await seen(), before);
  await served.unmount();
  assert.deepEqual(await checked(), []);
});

void test('data that the kernel has collected is no hole', needsMounts, async (t) => {
  const here = place(t);
  const served = await mounting(here).mount();
  const found = await python(
    [
      'import os, sys',
      'fd = os.open(sys.argv[1] + "/sparse", os.O_RDWR | os.O_CREAT)',
      'os.pwrite(fd, b"x" * 8192, 1 << 20)',
      'size, held, at = os.fstat(fd).st_size, [], 0',
      'while at < size:',
      '  start = os.lseek(fd, at, os.SEEK_DATA)',
      '  at = os.lseek(fd, start, os.SEEK_HOLE)',
      '  held.append((start, at))',
      'print(size, all(any(a <= p < b for a, b in held) for p in range(1 << 20, size, 512)))',
    ],
    here.mountpoint,
  );
  assert.equal(found, `${(1 << 20) + 8192} True\n`);
  await served.unmount();
});

void test(
  'after kill -9 of the server, what was fsynced is there and the file system is whole',
  needsMounts,
  async (t) => {
    const here = place(t);
    const { checked } = mounting(here);
    for (let round = 0; round < 3; round++) {
      const child = await serve(t, here, 'collected-100ms');
      const writer = spawn(
        'python3',
        [
          '-c',
          [
            'import os, sys',
            'os.chdir(sys.argv[1])',
            'log = os.open("log", os.O_RDWR | os.O_CREAT | os.O_APPEND)',
            'try:',
            '  for i in range(100000):',
            '    with open(f"r{sys.argv[2]}-{i}", "wb") as f:',
            '      f.write(b"x" * (i * 37 % 9000)); f.flush()',
            '      if i % 2: os.fsync(f.fileno())',
            '    os.write(log, b"%d\\n" % i); os.fsync(log)',
            '    print(i, flush=True)',
            'except OSError: pass',
          ].join('\n'),
          here.mountpoint,
          String(round),
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      let said = '';
      writer.stdout.on('data', (data: Buffer) => (said += data.toString()));
      while (said.split('\n').length < 20 && writer.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      await Promise.all([once(child, 'exit'), once(writer, 'exit')]);
      loadNative().umount2(here.mountpoint, 2);
      const promised = said.trim().split('\n');
      assert.ok(promised.length > 5, said);
      const again = await serve(t, here, 'collected-100ms');
      const log = readFileSync(join(here.mountpoint, 'log'), 'utf8');
      assert.ok(log.includes(`${promised.join('\n')}\n`), 'what was flushed of a file that stays open');
      // A close hands all of a file over, so that the next flush, of whatever file, makes it durable.
      for (const i of promised.map(Number))
        assert.equal(readFileSync(join(here.mountpoint, `r${round}-${i}`)).length, (i * 37) % 9000);
      again.kill('SIGTERM');
      await once(again, 'exit');
    }
    assert.deepEqual(readdirSync(here.mountpoint), []);
    assert.deepEqual(await checked(), []);
  },
);

void test(
  'a full disk is told by fsync and by close, and what was there stays whole',
  needsMounts,
  async (t) => {
    const here = place(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', here.directory]);
    const { mount, checked } = mounting(here);
    const served = await mount();
    const path = (name: string): string => join(here.mountpoint, name);
    writeFileSync(path('before'), 'kept'.repeat(1000), { flush: true });
    const megabyte = Buffer.alloc(1 << 20, 7);
    /** Writes until the disk must be full; `end` has to tell. */
    const fill = (name: string, end: (file: number) => void): void => {
      const file = openSync(path(name), 'w');
      let told: unknown;
      try {
        for (let i = 0; i < 80; i++) writeSync(file, megabyte);
        end(file);
      } catch (error) {
        told = (error as NodeJS.ErrnoException).code;
      }
      try {
        closeSync(file);
      } catch (error) {
        told ??= (error as NodeJS.ErrnoException).code;
      }
      assert.equal(told, 'ENOSPC', name);
    };
    /** Removes what filled the disk, and waits until there is room. */
    const empty = async (name: string): Promise<void> => {
      rmSync(path(name));
      for (let i = 0; ; i++) {
        try {
          writeFileSync(path('after'), `room after ${name}`, { flush: true });
          return;
        } catch (error) {
          assert.ok((error as NodeJS.ErrnoException).code === 'ENOSPC' && i < 100, String(error));
          await sleep(200);
        }
      }
    };
    fill('flushed', (file) => fsyncSync(file));
    assert.equal(readFileSync(path('before'), 'utf8'), 'kept'.repeat(1000));
    await empty('flushed');
    fill('closed', () => undefined);
    await empty('closed');
    await served.unmount();
    assert.deepEqual(await checked(), []);
    const again = await mount();
    assert.deepEqual(readdirSync(here.mountpoint).toSorted(), ['after', 'before']);
    assert.equal(readFileSync(path('after'), 'utf8'), 'room after closed');
    assert.equal(readFileSync(path('before'), 'utf8'), 'kept'.repeat(1000));
    await again.unmount();
  },
);

void test('times are those of the last write, also where it is flushed later', needsMounts, async (t) => {
  const here = place(t);
  const { mount } = mounting(here);
  let served = await mount();
  const path = join(here.mountpoint, 'file');
  const file = openSync(path, 'w');
  writeSync(file, 'one');
  await sleep(50);
  const between = Date.now();
  writeSync(file, 'two');
  const { mtimeMs } = statSync(path);
  assert.ok(mtimeMs >= between - 10, `${mtimeMs} ${between}`);
  await sleep(50);
  closeSync(file);
  await served.unmount();
  served = await mount();
  assert.equal(statSync(path).mtimeMs, mtimeMs);
  assert.equal(readFileSync(path, 'utf8'), 'onetwo');
  await served.unmount();
});
