import { loadKoffi, loadNative } from '@ensconce/fuse/native';
import { errno, errnoName } from '@ensconce/fuse/errno';
import { RuntimeError } from './errors.ts';

const native = loadNative();
const koffi = loadKoffi();
const libc = koffi.load(null);

const prctlFunction = libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
const waitid = libc.func('int waitid(int, int, _Out_ uint8_t *, int)');
const waitpid = libc.func('int waitpid(int, _Out_ int *, int)');

/** Flags of mount(2), linux/mount.h. */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16_384,
  private: 1 << 18,
  strictAtime: 1 << 24,
} as const;

const mountHint = 'the container needs /dev/fuse and CAP_SYS_ADMIN, or a user namespace (hostUsers: false)';

/** mount(2); throws `RuntimeError` MOUNT. */
export function mount(source: string, target: string, type: string, flags: number, data = ''): void {
  const result = native.mount(source, target, type, flags, data);
  if (result !== 0) {
    throw new RuntimeError('MOUNT', `mounting ${type || 'a binding'} on ${target}: ${errnoName(-result)}`, {
      hint: mountHint,
    });
  }
}

/** Detaches a mount; a target that is no mount point is no error. */
export function unmount(target: string): void {
  const detach = 2;
  const result = native.umount2(target, detach);
  if (result !== 0 && result !== -errno.EINVAL) {
    throw new RuntimeError('MOUNT', `unmounting ${target}: ${errnoName(-result)}`);
  }
}

/** No core dump of this process, no ptrace by others, `/proc/PID` owned by root (prctl(2), PR_SET_DUMPABLE). */
export function forbidDumps(): void {
  const setDumpable = 4;
  if (prctlFunction(setDumpable, 0, 0, 0, 0) !== 0) {
    throw new RuntimeError('SYSTEM', `prctl(PR_SET_DUMPABLE): ${errnoName(koffi.errno())}`);
  }
}

/**
 * Reaps orphans that became ours, leaving alone those processes for which `own` is true: libuv waits for them itself.
 * Looks with WNOWAIT first, so that a child of libuv is never collected here.
 */
export function reapOrphans(own: (pid: number) => boolean): void {
  const all = 0;
  const exited = 4;
  const noHang = 1;
  const noWait = 0x0100_0000;
  const info = Buffer.alloc(128);
  for (;;) {
    info.fill(0);
    if (waitid(all, 0, info, exited | noHang | noWait) !== 0) return;
    const pid = info.readInt32LE(12);
    if (pid === 0 || own(pid)) return;
    waitpid(pid, [0], noHang);
  }
}

const signalMask = libc.func('int pthread_sigmask(int, const uint8_t *, uint8_t *)');

/** Lets a signal reach this thread; Node blocks SIGUSR1 under `--disable-sigusr1`. */
export function unblockSignal(signal: number): void {
  const unblock = 1;
  const set = Buffer.alloc(128);
  set.writeBigUInt64LE(1n << BigInt(signal - 1));
  const errno = Number(signalMask(unblock, set, null));
  if (errno !== 0) throw new RuntimeError('SYSTEM', `pthread_sigmask: ${errnoName(errno)}`);
}

const mallocTrim = libc.func('int malloc_trim(size_t)');

/** Gives memory that only the start needed back to the kernel. */
export function releaseMemory(): void {
  mallocTrim(0);
}

const exitFunction = libc.func('void _exit(int)');

/** Ends this process without taking Node apart first, which takes milliseconds and has nothing left to do. */
export function exitNow(status: number): void {
  exitFunction(status);
}
