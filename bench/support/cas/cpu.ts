import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second on every machine that Node runs on. */
const ticksPerSecond = 100;

/** Seconds of CPU that all threads of a process have used, in its own code and in the kernel for it. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in brackets, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Bytes of a process that are in memory. */
export const residentBytes = (pid: number): number => bytesOf(pid, 'VmRSS');

/** The most that they ever were. */
export const peakBytes = (pid: number): number => bytesOf(pid, 'VmHWM');

function bytesOf(pid: number, field: string): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}
