import { readFileSync, statSync } from 'node:fs';

/** The numbers of a device (makedev(3)). */
export function partOf(dev: number): { readonly major: number; readonly minor: number } {
  return { major: (dev >>> 8) & 0xfff, minor: (dev & 0xff) | ((dev >>> 12) & 0xfff00) };
}

/** Milliseconds for which the disk below a folder has been busy since the machine started; undefined where it is none. */
export function diskBusy(folder: string): number | undefined {
  const { major, minor } = partOf(statSync(folder).dev);
  for (const line of readFileSync('/proc/diskstats', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === major && Number(fields[1]) === minor) return Number(fields[12]);
  }
  return undefined;
}
