import { closeSync, mkdtempSync, openSync, readdirSync, rmdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadNative } from '@ensconce/fuse/native';
import { serveFilesystem } from '@ensconce/fuse/serve';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import type { Faults } from './faults.ts';
import type { GuestData } from './guest-worker.ts';

/** Why tests that mount cannot run here, or false. */
export const cannotMount = process.getuid?.() === 0 ? false : 'root is needed to mount';

export const at = new Date('2026-11-22T12:00:00Z');
export const intel = await makeIntelAuthority(at);
export const platform = await makePlatform(intel, at);
export const amd = await makeAmdAuthority('Milan', at, 2048);
export const chip = await makeChip(amd, at);

/** The kernel files of a guest, mounted. */
export interface Guest {
  /** What stands for the guest's root directory. */
  readonly root: string;
  /** From now on, the kernel does this wrong. */
  readonly fault: (faults: Faults) => void;
  /** Names of the entries of configfs-tsm. */
  readonly entries: () => string[];
}

export async function guest(
  t: TestContext,
  tee: GuestData['tee'],
  more: Pick<GuestData, 'signsOnly' | 'cpuinfo'> = {},
): Promise<Guest> {
  const root = mkdtempSync(join(tmpdir(), 'ensconce-tee-'));
  const native = loadNative();
  const log: string[] = [];
  t.after(async () => {
    await served.unmount({ lazy: true, graceMs: 100 });
    while (native.umount2(root, 2) === 0);
    rmdirSync(root);
    // A request that the file system could not answer would otherwise look like the failure that a test wants.
    if (log.length > 0) throw new Error(log.join('\n'));
  });
  const served = await serveFilesystem({
    mountpoint: root,
    worker: new URL('guest-worker.ts', import.meta.url),
    data: { ...more, tee, platform, amd, chip } satisfies GuestData,
    log: (line) => log.push(line),
  });
  return {
    root,
    fault: (faults) => {
      const descriptor = openSync(join(root, 'faults'), 'r+');
      try {
        writeSync(descriptor, JSON.stringify(faults));
      } finally {
        closeSync(descriptor);
      }
    },
    entries: () => readdirSync(join(root, 'sys/kernel/config/tsm/report')),
  };
}
