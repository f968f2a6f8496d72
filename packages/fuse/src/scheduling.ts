import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import type { Native } from './native.ts';

/** SCHED_OTHER, SCHED_FIFO and SCHED_IDLE of sched(7). */
const policy = { other: 0, fifo: 1, idle: 5 } as const;
/** Size of `struct sched_attr` (sched_setattr(2)) in its first version, and where its fields are. */
const attributesSize = 48;
const attribute = { size: 0, policy: 4, flags: 8, nice: 16, priority: 20, runtime: 24 } as const;
/** SCHED_FLAG_RESET_ON_FORK: threads made later do not inherit it. */
const resetOnFork = 1;
/** Who hurries has this much of a nice value less, and is done with a turn after so many nanoseconds: the least that the kernel takes. */
const hurry = { nice: -5, slice: 100_000 } as const;
const leastNice = -20;
/** Bytes of a set of processors: 1024 of them, as in the C library. */
const setSize = 128;

/** How the kernel schedules one thread: on which processors, and whether it gives way to everybody else or comes before them. */
export class Scheduling {
  /** The kernel's id of the thread. */
  readonly thread: number;
  readonly #native: Native;
  readonly #all: Uint8Array;
  readonly #one = new Uint8Array(setSize);
  readonly #nice: number;
  readonly #attributes = new Uint8Array(attributesSize);
  readonly #view = new DataView(this.#attributes.buffer);

  private constructor(native: Native, thread: number, all: Uint8Array, nice: number) {
    this.#native = native;
    this.thread = thread;
    this.#all = all;
    this.#nice = nice;
    this.#view.setUint32(attribute.size, attributesSize, true);
  }

  /**
   * Of the calling thread; undefined where it may not be changed and changed back, or somebody has given it a policy of his
   * choice. Giving way needs no right, but ending it does (`can_nice` in the kernel's sched/syscalls.c): that one is tried by
   * the nice value, which can be put back.
   */
  static own(native: Native): Scheduling | undefined {
    try {
      const nice = getPriority();
      setPriority(Math.max(nice - 1, leastNice));
      setPriority(nice);
      const at = readStat('/proc/thread-self/stat', field.policy);
      if (at < 0 || stat[at] !== ordinary) return undefined;
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
    return new Scheduling(native, thread, all, getPriority(thread));
  }

  /** Moves the thread to this processor, where it gives way to everybody else; false where it may not run there. */
  giveWayOn(processor: number): boolean {
    return this.#moveTo(processor) && this.#set(policy.idle, this.#nice, 0, resetOnFork);
  }

  #moveTo(processor: number): boolean {
    const bit = 1 << (processor & 7);
    const at = processor >> 3;
    if (((this.#all[at] ?? 0) & bit) === 0) return false;
    this.#one.fill(0);
    this.#one[at] = bit;
    return this.#native.setAffinity(this.thread, this.#one) === 0;
  }

  /**
   * Has the thread run as soon as it is woken, before everybody who has no such priority, and on `processor` where one is given: for one
   * that does little at a time, and that many wait for. False where that may not be; nothing has changed then.
   */
  comeFirst(processor: number | undefined): boolean {
    if (!this.#set(policy.fifo, 0, 0, resetOnFork)) return false;
    // Where it may not run there it runs elsewhere.
    if (processor !== undefined) this.#moveTo(processor);
    return true;
  }

  /** Has the thread run soon after it is woken, where others could run as well, on any processor. */
  hurry(): void {
    this.#native.setAffinity(this.thread, this.#all);
    this.#set(policy.other, Math.max(this.#nice + hurry.nice, leastNice), hurry.slice, resetOnFork);
  }

  #set(policyOf: number, nice: number, slice: number, flags: number): boolean {
    this.#view.setUint32(attribute.policy, policyOf, true);
    this.#view.setUint32(attribute.flags, flags, true);
    this.#view.setInt32(attribute.nice, nice, true);
    // The least there is: whoever else has one comes before it.
    this.#view.setUint32(attribute.priority, policyOf === policy.fifo ? 1 : 0, true);
    this.#view.setUint32(attribute.runtime, slice, true);
    return this.#native.setAttributes(this.thread, this.#attributes) === 0;
  }

  /** As it was at the beginning. */
  restore(): void {
    this.#set(policy.other, this.#nice, 0, 0);
    this.#native.setAffinity(this.thread, this.#all);
  }
}

const stat = new Uint8Array(1024);
const endOfName = 0x29; // )
const space = 0x20;
/** Fields of proc_pid_stat(5). */
const field = { state: 3, processor: 39, policy: 41 } as const;
const ordinary = 0x30; // SCHED_OTHER

/**
 * Reads what the kernel says of a thread (proc_pid_stat(5)) into `stat`, and returns where field `wanted` begins in it; -1
 * where nothing is said: the thread has ended, or is of a foreign namespace.
 */
function readStat(path: string, wanted: number): number {
  let length: number;
  try {
    const fd = openSync(path, 'r');
    try {
      length = readSync(fd, stat);
    } finally {
      closeSync(fd);
    }
  } catch {
    return -1;
  }
  stat[Math.min(length, stat.length - 1)] = space;
  // The name may hold anything, and ends at the last parenthesis.
  let at = length - 1;
  while (at >= 0 && stat[at] !== endOfName) at--;
  if (at < 0) return -1;
  for (let number = 2; number < wanted; at++) {
    if (at >= length) return -1;
    if (stat[at] === space) number++;
  }
  return at;
}

/** The processor on which a thread ran last; -1 where that cannot be known. */
export function processorOf(thread: number): number {
  let at = readStat(`/proc/${thread}/stat`, field.processor);
  if (at < 0) return -1;
  let processor = 0;
  for (; stat[at] !== space; at++) {
    const digit = (stat[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    processor = processor * 10 + digit;
  }
  return processor < setSize * 8 ? processor : -1;
}

const running = 0x52; // R

/** Whether a thread of this process runs or could run, if it had a processor; false where it waits for something. */
export function isRunnable(thread: number): boolean {
  const at = readStat(`/proc/self/task/${thread}/stat`, field.state);
  return at >= 0 && stat[at] === running;
}
