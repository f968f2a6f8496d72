import { readFileSync, statSync } from 'node:fs';

/** Milliseconds for which the disk below a folder has been busy since the machine started; undefined where it is none. */
export function diskBusy(folder: string): number | undefined {
  const { dev } = statSync(folder);
  const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  for (const line of readFileSync('/proc/diskstats', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === major && Number(fields[1]) === minor) return Number(fields[12]);
  }
  return undefined;
}
