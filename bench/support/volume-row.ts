import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { System } from './filesystems.ts';

/** Where the file systems keep their files; a slow disk is one that is slower than any of them. */
export type Store = 'tmpfs' | 'disk' | 'slow disk';

/** So many times as fast as another at least. */
export interface Bar {
  readonly of: System;
  readonly than: System;
  readonly ratio: number;
  readonly store: Store;
  /** Only where the disk is the limit: it was busy nearly all the time of the other, and our loop without encryption keeps up. */
  readonly diskBound?: boolean;
}

/** One row of the table: a piece of work, done on one mounted file system after the other. */
export interface Row {
  readonly name: string;
  readonly systems: readonly System[];
  readonly bars: readonly Bar[];
  /** The row that leaves behind what this one works on: it is measured as well. */
  readonly after?: string;
  /** Start with what the kernel has cached dropped. */
  readonly cold?: boolean;
  /** Does the work in a folder; resolves to the milliseconds it took. */
  readonly measure: (path: string) => Promise<number>;
}

export function dropCaches(): void {
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}

export interface ShellOptions {
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** Runs a shell script and gives what it printed. Not `spawnSync`: tags go to CAS through this thread meanwhile. */
export async function shell(script: string, options: ShellOptions = {}): Promise<string> {
  const child = spawn('sh', ['-ec', script], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, complaint] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-100_000)));
  child.stderr.on('data', (data: Buffer) => (complaint = (complaint + data.toString()).slice(-2000)));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`exit code 0 expected, ${status} found of: ${script}\n${complaint}`);
  return output;
}

/** The time of a shell script. */
export function timed(script: string): Row['measure'] {
  return async (path) => {
    const began = performance.now();
    await shell(script, { cwd: path });
    return performance.now() - began;
  };
}
