import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadNative } from '../src/native.ts';
import { serveFilesystem } from '../src/serve.ts';
import type { ServedFilesystem, ServeOptions } from '../src/serve.ts';

/** Why tests that mount cannot run here, or false. */
export const cannotMount = process.getuid?.() === 0 ? false : 'root is needed to mount';

export interface Mounted {
  readonly served: ServedFilesystem;
  readonly path: string;
  readonly log: string[];
}

/** An empty directory that goes away after the test, whatever is mounted on it. */
export function scratch(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ensconce-fuse-'));
  t.after(() => {
    const native = loadNative();
    while (native.umount2(path, 2) === 0);
    rmdirSync(path);
  });
  return path;
}

/** Serves a file system of `memory-worker.ts` for the time of a test. */
export async function mounted(
  t: TestContext,
  data: unknown,
  options: Partial<ServeOptions> = {},
): Promise<Mounted> {
  let served: ServedFilesystem | undefined;
  t.after(() => served?.unmount({ lazy: true, graceMs: 100 }));
  const path = scratch(t);
  const log: string[] = [];
  served = await serveFilesystem({
    mountpoint: path,
    worker: new URL('memory-worker.ts', import.meta.url),
    data,
    log: (line) => log.push(line),
    ...options,
  });
  return { served, path, log };
}
