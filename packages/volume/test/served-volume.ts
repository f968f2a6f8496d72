/** Places for volumes that tests mount. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadNative } from '@ensconce/fuse/native';
import type { Durability } from '../src/settlement.ts';

export const needsMounts = { skip: process.getuid?.() === 0 ? false : 'SKIPPED: root is needed to mount' };
/** Of the volumes that `serve` serves. */
export const volumeKey = new Uint8Array(32).fill(3);

export interface Place {
  readonly directory: string;
  readonly mountpoint: string;
  readonly tag: string;
}

/** Folders that go, with what is mounted there, when the test ends. */
export function place(t: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-volume-'));
  const [directory, mountpoint] = [join(folder, 'data'), join(folder, 'mnt')];
  mkdirSync(directory);
  mkdirSync(mountpoint);
  t.after(() => {
    const native = loadNative();
    for (const mounted of [mountpoint, directory]) while (native.umount2(mounted, 2) === 0);
    rmSync(folder, { recursive: true, force: true });
  });
  return { directory, mountpoint, tag: join(folder, 'tag') };
}

/** Serves it by a process of its own, which can be killed. */
export async function serve(
  t: TestContext,
  { directory, mountpoint, tag }: Place,
  durability: Durability = 'settled',
): Promise<ChildProcess> {
  const server = fileURLToPath(new URL('serve-volume.ts', import.meta.url));
  const child = spawn(process.execPath, [server, directory, mountpoint, tag, durability], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}
