import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { partOf } from './disk-use.ts';

const folder = '/sys/fs/cgroup/blkio';
const files = ['read', 'write'].map((way) => `${folder}/blkio.throttle.${way}_bps_device`);

/**
 * Lets the disk below `path` read and write so many bytes a second and no more, for the whole machine (blkio controller of
 * cgroups version 1, which also counts what the kernel writes back). Returns what takes the limit away; undefined where
 * there is no such controller, or no disk.
 */
export function limitDisk(path: string, bytesPerSecond: number): (() => void) | undefined {
  const { major, minor } = partOf(statSync(path).dev);
  const set = (limit: number): void => {
    for (const file of files) writeFileSync(file, `${major}:${minor} ${limit}`);
  };
  try {
    set(bytesPerSecond);
    if (!files.every((file) => readFileSync(file, 'utf8').includes(`${major}:${minor} ${bytesPerSecond}`)))
      return undefined;
  } catch {
    return undefined;
  }
  const undo = (): void => set(0);
  process.once('exit', undo);
  return () => {
    process.off('exit', undo);
    undo();
  };
}
