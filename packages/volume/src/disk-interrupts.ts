import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Folders above the disk's own in which its interrupts are looked for. */
const mostLevels = 6;
/** A disk with a single queue has few interrupts: one for its settings and one or two for the queue. */
const mostInterrupts = 8;
/** So many of the interrupts since the last look say where they come to, if so large a part comes to one processor. */
const enough = 4;
const nearlyAll = 0.75;

/**
 * The processor to which a disk tells that it is done. Who waits for it there goes on at once; anywhere else he is woken by that
 * processor, which in a virtual machine costs as much as the disk takes. Hints of the kernel (sysfs), for speed alone.
 */
export class DiskInterrupts {
  readonly #sys: string;
  /** Numbers of the interrupts. None where there is a queue for each processor, or nobody says: other disks below it, none, no sysfs. */
  readonly #interrupts: readonly string[];
  #before: number[] = [];

  /** Of the disk on which a file or folder is. */
  constructor(path: string, sys = '/sys') {
    this.#sys = sys;
    this.#interrupts = interruptsOf(path, sys);
    this.processor();
  }

  /** The processor that got nearly all interrupts since the last call; undefined where there were few, or there is no such one. */
  processor(): number | undefined {
    const counts: number[] = [];
    for (const interrupt of this.#interrupts)
      for (const [processor, count] of countsOf(join(this.#sys, 'kernel/irq', interrupt, 'per_cpu_count')))
        counts[processor] = (counts[processor] ?? 0) + count;
    const since = counts.map((count, processor) => count - (this.#before[processor] ?? 0));
    this.#before = counts;
    const all = since.reduce((sum, count) => sum + count, 0);
    const most = Math.max(0, ...since);
    return most >= enough && most >= nearlyAll * all ? since.indexOf(most) : undefined;
  }
}

function interruptsOf(path: string, sys: string): string[] {
  try {
    const { dev } = statSync(path);
    // As the C library has it (gnu_dev_makedev).
    const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
    let folder = realpathSync(join(sys, 'dev/block', `${major}:${minor}`));
    for (let level = 0; level < mostLevels; level++, folder = dirname(folder)) {
      const names = readdirSync(folder);
      if (names.includes('mq') && readdirSync(join(folder, 'mq')).length !== 1) return [];
      if (!names.includes('msi_irqs')) continue;
      const interrupts = readdirSync(join(folder, 'msi_irqs'));
      return interrupts.length <= mostInterrupts ? interrupts : [];
    }
  } catch {
    // Not there, or not to be seen from here.
  }
  return [];
}

function countsOf(path: string): [processor: number, count: number][] {
  try {
    const counts = readFileSync(path, 'utf8').split(',').map(Number);
    return counts.every(Number.isSafeInteger) ? counts.map((count, processor) => [processor, count]) : [];
  } catch {
    return [];
  }
}
