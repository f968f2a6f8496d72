import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import type { Native } from './native.ts';

/** SCHED_OTHER and SCHED_IDLE of sched(7), and the flag that threads made later do not inherit them. */
const policy = { other: 0, idle: 5, resetOnFork: 0x4000_0000 } as const;
/** Bytes of a set of processors: 1024 of them, as in the C library. */
const setSize = 128;

/** How the kernel schedules one thread: on which processors, and whether it gives way to everybody else. */
export class Scheduling {
  /** The kernel's id of the thread. */
  readonly thread: number;
  readonly #native: Native;
  readonly #all: Uint8Array;
  readonly #one = new Uint8Array(setSize);
  readonly #noParameters = new Uint8Array(4);

  private constructor(native: Native, thread: number, all: Uint8Array) {
    this.#native = native;
    this.thread = thread;
    this.#all = all;
  }

  /**
   * Of the calling thread; undefined where it may not be changed and changed back. Giving way needs no right, but ending it
   * does (`can_nice` in the kernel's sched/syscalls.c): that one is tried by the nice value, which can be put back.
   */
  static own(native: Native): Scheduling | undefined {
    try {
      const nice = getPriority();
      setPriority(Math.max(nice - 1, -20));
      setPriority(nice);
      return Scheduling.of(native, Number(readlinkSync('/proc/thread-self').split('/')[2]));
    } catch {
      // Without the right, or without /proc: the thread stays as it is.
      return undefined;
    }
  }

  /** Of a thread of this process that is as it was at its beginning. */
  static of(native: Native, thread: number): Scheduling | undefined {
    const all = new Uint8Array(setSize);
    if (!Number.isSafeInteger(thread) || native.getAffinity(thread, all) < 0) return undefined;
    return new Scheduling(native, thread, all);
  }

  /** Moves the thread to this processor, where it gives way to everybody else; false where it may not run there. */
  giveWayOn(processor: number): boolean {
    const bit = 1 << (processor & 7);
    const at = processor >> 3;
    if (((this.#all[at] ?? 0) & bit) === 0) return false;
    this.#one.fill(0);
    this.#one[at] = bit;
    return (
      this.#native.setAffinity(this.thread, this.#one) === 0 &&
      this.#native.setPolicy(this.thread, policy.idle | policy.resetOnFork, this.#noParameters) === 0
    );
  }

  /** As it was at the beginning. */
  restore(): void {
    this.#native.setPolicy(this.thread, policy.other, this.#noParameters);
    this.#native.setAffinity(this.thread, this.#all);
  }
}

const stat = new Uint8Array(1024);
const afterName = 0x29; // )
const space = 0x20;
const processorField = 39;

/**
 * The processor on which a thread ran last (`processor` of proc_pid_stat(5)); -1 where that cannot be known: it has ended,
 * or is of a foreign namespace.
 */
export function processorOf(thread: number): number {
  let length: number;
  try {
    const fd = openSync(`/proc/${thread}/stat`, 'r');
    try {
      length = readSync(fd, stat);
    } finally {
      closeSync(fd);
    }
  } catch {
    return -1;
  }
  // The name may hold anything, and ends at the last parenthesis.
  let at = length - 1;
  while (at >= 0 && stat[at] !== afterName) at--;
  if (at < 0) return -1;
  for (let field = 2; field < processorField; at++) {
    if (at >= length) return -1;
    if (stat[at] === space) field++;
  }
  let processor = 0;
  for (; at < length && stat[at] !== space; at++) {
    const digit = (stat[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    processor = processor * 10 + digit;
  }
  return processor < 1024 ? processor : -1;
}
