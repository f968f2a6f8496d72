import { putU64 } from './attributes.ts';
import { Dispatcher, silent } from './dispatch.ts';
import { errno, errnoName } from './errno.ts';
import { FuseError } from './errors.ts';
import { deferred } from './filesystem.ts';
import type { Connection, Filesystem } from './filesystem.ts';
import { LateAnswers } from './late-answers.ts';
import type { Native } from './native.ts';
import { negotiate } from './negotiate.ts';
import { Patience } from './patience.ts';
import type { Placement } from './placement.ts';
import {
  headerOut,
  opcode,
  replySize,
  requestBufferSize,
  writeData,
  writeFlag,
  writeFlags,
} from './protocol.ts';
import { Request } from './request.ts';

export interface LoopOptions {
  readonly native: Native;
  /** The FUSE device, open without blocking, already mounted. */
  readonly device: number;
  /** An eventfd that interrupts the wait. */
  readonly wake: number;
  readonly filesystem: Filesystem;
  readonly log: (line: string) => void;
  /** Called before each wait and after each wake-up; false ends the loop. */
  readonly attend: () => boolean;
  /** INIT has been answered. */
  readonly settled: () => void;
  /** How many reads may find nothing before the loop waits: latency for a little time of a processor. 1 where there is one. */
  readonly spins: number;
  /** Where this thread runs; undefined where it cannot choose. */
  readonly placement?: Placement | undefined;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

const invalidateInode = 2;
const pollIn = 1;
/** Milliseconds until a file system whose own work failed may try again. */
const tickAfterFailure = 5000;
/** Requests served between two looks at the clock and the parent's messages, while there is no pause. */
const attention = 64;
/** Milliseconds without a request after which whoever asked is no longer waited for beside him. */
const quietAfter = 1;

/**
 * Serves requests until the file system is unmounted or `attend` says stop.
 *
 * @throws FuseError `FUSE_PROTOCOL` where the kernel's version is too old, `FUSE_DEVICE` where the device fails
 */
export function runLoop(options: LoopOptions): void {
  const { native, device, filesystem, log, placement } = options;
  // Data begins a page: the kernel then copies each page of a file from or to one page here, and not in two parts.
  const input = native.pageMemory(requestBufferSize, writeData);
  const request = new Request(input);
  const dispatcher = new Dispatcher(filesystem, request, log, native.pageMemory(replySize, headerOut));
  const { reply, view } = dispatcher;
  const message = new Uint8Array(headerOut + 24);
  const messageView = new DataView(message.buffer);
  const pollSet = new Uint8Array(16);
  const pollView = new DataView(pollSet.buffer);
  pollView.setInt32(0, device, true);
  pollView.setUint16(4, pollIn, true);
  pollView.setInt32(8, options.wake, true);
  pollView.setUint16(12, pollIn, true);
  const drain = new Uint8Array(8);

  const send = (bytes: Uint8Array, header: DataView, size: number, error: number, unique: number): void => {
    header.setUint32(0, size, true);
    header.setInt32(4, error, true);
    putU64(header, 8, unique);
    const written = native.write(device, bytes, size);
    // ENOENT: whoever asked was interrupted and is gone.
    if (written < 0 && written !== -errno.ENOENT && written !== -errno.ENODEV)
      log(`reply of ${size} bytes to request ${request.opcode}: refused with ${errnoName(-written)}`);
  };
  const connectionOf = (minor: number, writebackCache: boolean): Connection => ({
    minor,
    writebackCache,
    reply: (unique, status) => send(message, messageView, headerOut, status, unique),
    invalidate: (node, offset, length) => {
      putU64(messageView, headerOut, node);
      putU64(messageView, headerOut + 8, offset);
      putU64(messageView, headerOut + 16, length);
      send(message, messageView, headerOut + 24, invalidateInode, 0);
    },
  });

  /** Whether the kernel collects what is written. */
  let collects = false;
  const late = new LateAnswers((unique, size) => {
    messageView.setUint32(headerOut, size, true);
    messageView.setUint32(headerOut + 4, 0, true);
    send(message, messageView, headerOut + 8, 0, unique);
  });
  const wasCollected = (): boolean =>
    collects &&
    request.opcode === opcode.WRITE &&
    request.end >= writeData &&
    (request.u32(writeFlags) & writeFlag.CACHE) !== 0;

  /** Returns the size of the result that was sent, 0 where there is none. */
  const serve = (length: number): number => {
    try {
      request.parse(length);
    } catch (error) {
      log(error instanceof Error ? error.message : 'a request could not be parsed');
      if (length >= headerOut) send(reply, view, headerOut, -errno.EIO, request.unique);
      return 0;
    }
    if (request.opcode === opcode.INIT) {
      const agreement = negotiate(request, filesystem.wishes ?? {}, view, headerOut);
      if (agreement.settled) {
        dispatcher.extendedSetxattr = agreement.extendedSetxattr;
        collects = agreement.writebackCache;
        filesystem.init?.(connectionOf(agreement.minor, agreement.writebackCache));
      }
      send(reply, view, headerOut + agreement.size, 0, request.unique);
      if (agreement.settled) options.settled();
      return 0;
    }
    const { unique } = request;
    const isLate = wasCollected();
    if (!isLate) late.send();
    const result = dispatcher.handle();
    if (result !== silent && result !== deferred) {
      if (result < 0) send(reply, view, headerOut, result, unique);
      else if (isLate) late.add(unique, view.getUint32(headerOut, true));
      else send(reply, view, headerOut + result, 0, unique);
    }
    try {
      filesystem.after?.();
    } catch (error) {
      log(error instanceof Error ? error.message : 'not an error was thrown');
    }
    return Math.max(result, 0);
  };

  /** Lets the parent and the file system's own clock have their turn; returns the time-out of the wait, or false. */
  const pause = (): number | false => {
    if (!options.attend()) return false;
    if (!filesystem.tick) return -1;
    try {
      return Math.max(0, Math.ceil(filesystem.tick(options.now())));
    } catch (error) {
      log(error instanceof Error ? error.message : 'not an error was thrown');
      return tickAfterFailure;
    }
  };

  /** Lets the file system do what the next request would have to wait for; false where it has nothing like that. */
  const spared = (): boolean => {
    if (!filesystem.spare) return false;
    try {
      filesystem.spare();
    } catch (error) {
      log(error instanceof Error ? error.message : 'not an error was thrown');
    }
    return true;
  };

  const state = { over: false };
  /** Waits for a request, or for the parent, which it attends to; 0 where neither came in time. */
  const wait = (timeout: number): number => {
    const found = native.poll(pollSet, 2, timeout);
    if (found > 0 && pollView.getUint16(14, true) & pollIn) {
      native.read(options.wake, drain, 8);
      state.over = !options.attend();
    }
    return found;
  };

  const patience = new Patience(options.spins);
  let empty = 0;
  let served = 0;
  for (;;) {
    const length = native.read(device, input, requestBufferSize);
    if (length > 0) {
      if (empty > 0) patience.paid();
      empty = 0;
      const size = serve(length);
      const { opcode: code } = request;
      placement?.served(request.pid, size, code === opcode.FSYNC || code === opcode.FSYNCDIR);
      if (++served % attention === 0 && pause() === false) return;
      continue;
    }
    late.send();
    switch (-length) {
      case errno.EAGAIN: {
        if (placement?.beside) {
          // Whoever asks has had his turn by now: the next request is there, comes at once, or he is busy.
          if (wait(quietAfter) === 0) placement.quiet();
          else placement.missed();
          if (state.over) return;
          break;
        }
        if (placement?.hurries) {
          if (empty++ === 0 && spared()) break;
        } else if (++empty < patience.looks) break;
        empty = 0;
        patience.exhausted();
        const timeout = pause();
        if (timeout === false) return;
        wait(timeout);
        if (state.over) return;
        break;
      }
      // ENOENT: the request was interrupted before it was read (linux/fs/fuse/dev.c).
      case errno.EINTR:
      case errno.ENOENT:
        break;
      case errno.ENODEV:
        return;
      default:
        throw new FuseError(
          'FUSE_DEVICE',
          `the FUSE device: a request expected, ${errnoName(-length)} found`,
        );
    }
  }
}
