import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { check, createVolume } from './commands.ts';
import { needsMounts, place, serve, volumeKey } from '../test/served-volume.ts';

const files = 100_000;

void test(
  'a directory of 100,000 files is filled, listed, looked up in and emptied',
  needsMounts,
  async (t) => {
    const here = place(t);
    const volume = {
      directory: here.directory,
      volumeKey,
      keeper: { kind: 'file', path: here.tag },
    } as const;
    createVolume(volume);
    const script = fileURLToPath(new URL('../test/large_directory.py', import.meta.url));
    const folder = join(here.mountpoint, 'many');
    const began = performance.now();
    for (const what of ['fill', 'find', 'empty', 'look'] as const) {
      const server = await serve(t, here);
      if (what === 'fill') mkdirSync(folder);
      const memory = (): number =>
        Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
      const [start, before] = [performance.now(), memory()];
      const count = String(what === 'look' ? 0 : files);
      await promisify(execFile)('python3', [script, what === 'look' ? 'find' : what, folder, count]);
      const more = memory() - before;
      t.diagnostic(
        `${what}: ${((performance.now() - start) / 1000).toFixed(1)} s, ${more.toFixed(0)} MiB more`,
      );
      // The kernel knows all of them; what is theirs on the disk does not stay in memory.
      assert.ok(more < 160, `${more} MiB more`);
      server.kill('SIGTERM');
      await once(server, 'exit');
      const { problems, files: found } = await check(volume);
      assert.deepEqual([problems, found], [[], what === 'fill' || what === 'find' ? files + 2 : 2]);
    }
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds < 60, `${seconds} s`);
  },
);
