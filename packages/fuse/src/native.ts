import { createRequire } from 'node:module';
import { FuseError } from './errors.ts';
import { errnoName } from './errno.ts';
import { pageSize } from './protocol.ts';

/** Memory that a C function reads or writes. */
export type Memory = Uint8Array;

/** The calls of the C library that Node does not offer. All return the result, or the negative error number. */
export interface Native {
  /** read(2): unlike `fs.readSync`, EAGAIN is a value, so a non-blocking read that finds nothing costs no exception. */
  read(fd: number, into: Memory, length: number): number;
  write(fd: number, from: Memory, length: number): number;
  /** poll(2) over `count` packed `struct pollfd`; the time-out is in milliseconds, -1 waits for ever. */
  poll(descriptors: Memory, count: number, timeout: number): number;
  /** ioctl(2) whose argument is memory. */
  ioctl(fd: number, request: number, argument: Memory): number;
  eventfd(initial: number, flags: number): number;
  /** sched_setaffinity(2) and sched_getaffinity(2) of a thread; `set` has one bit for each processor. */
  setAffinity(thread: number, set: Memory): number;
  getAffinity(thread: number, set: Memory): number;
  /** sched_setattr(2) of a thread, with a `struct sched_attr`. */
  setAttributes(thread: number, attributes: Memory): number;
  mount(source: string, target: string, type: string, flags: number, options: string): number;
  umount2(target: string, flags: number): number;
  /** {@link pageMemory} */
  pageMemory(size: number, at: number): Memory;
  /** umount2(2) off this thread: it may wait for a file system that this process serves. */
  umount2Async(target: string, flags: number): Promise<number>;
}

interface CFunction {
  (...args: unknown[]): unknown;
  async(...args: unknown[]): void;
}

/** The part of koffi that is used here; the bare addon (`koffi.node`) has it as well as the npm package. */
export interface Koffi {
  load(path: null): { func(definition: string): CFunction };
  errno(): number;
}

/** SYS_sched_setattr of asm/unistd.h. */
const setAttributesNumber = process.arch === 'arm64' ? 274 : 314;

const require = createRequire(import.meta.url);
const loaded = new Map<string, Koffi>();

/**
 * The foreign-function addon: the npm package `koffi`, or the addon file at `path` where the program is bundled and
 * carries it as a plain file.
 *
 * @throws FuseError `FUSE_NATIVE`
 */
export function loadKoffi(path?: string): Koffi {
  const specifier = path ?? 'koffi';
  const known = loaded.get(specifier);
  if (known) return known;
  try {
    const koffi = (path === undefined ? require('koffi') : require(path)) as Koffi;
    loaded.set(specifier, koffi);
    return koffi;
  } catch (cause) {
    throw new FuseError('FUSE_NATIVE', `the foreign-function addon expected at ${specifier}, none loaded`, {
      cause,
      hint: 'install the npm dependencies, or name the addon of this architecture',
    });
  }
}

/**
 * Binds the C library that Node itself is linked to (never a second one).
 *
 * @throws FuseError `FUSE_NATIVE`
 */
export function loadNative(koffiPath?: string): Native {
  const koffi = loadKoffi(koffiPath);
  const library = koffi.load(null);
  const bind = (definition: string): CFunction => {
    try {
      return library.func(definition);
    } catch (cause) {
      throw new FuseError('FUSE_NATIVE', `a C library with \`${definition}\` expected, none found`, {
        cause,
      });
    }
  };
  const read = bind('long read(int fd, void *into, size_t length)');
  const write = bind('long write(int fd, const void *from, size_t length)');
  const poll = bind('int poll(void *descriptors, unsigned long count, int timeout)');
  const ioctl = bind('int ioctl(int fd, unsigned long request, void *argument)');
  const eventfd = bind('int eventfd(unsigned int initial, int flags)');
  const setAffinity = bind('int sched_setaffinity(int thread, size_t size, const void *set)');
  const getAffinity = bind('int sched_getaffinity(int thread, size_t size, void *set)');
  // The C library has had a function of its own for it only since 2025.
  const setAttributes = bind('long syscall(long number, long thread, const void *attributes, long flags)');
  const mount = bind(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  );
  const umount2 = bind('int umount2(const char *target, int flags)');
  const result = (value: unknown): number => ((value as number) < 0 ? -koffi.errno() : (value as number));
  return {
    read: (fd, into, length) => result(read(fd, into, length)),
    write: (fd, from, length) => result(write(fd, from, length)),
    poll: (descriptors, count, timeout) => result(poll(descriptors, count, timeout)),
    ioctl: (fd, request, argument) => result(ioctl(fd, request, argument)),
    eventfd: (initial, flags) => result(eventfd(initial, flags)),
    setAffinity: (thread, set) => result(setAffinity(thread, set.length, set)),
    getAffinity: (thread, set) => result(getAffinity(thread, set.length, set)),
    setAttributes: (thread, attributes) => result(setAttributes(setAttributesNumber, thread, attributes, 0)),
    mount: (source, target, type, flags, options) => result(mount(source, target, type, flags, options)),
    pageMemory: (size, at) => pageMemory(koffi, size, at),
    umount2: (target, flags) => result(umount2(target, flags)),
    umount2Async: (target, flags) =>
      new Promise((resolve, reject) => {
        umount2.async(target, flags, (error: unknown, value: unknown) => {
          if (error instanceof Error) reject(error);
          else resolve(result(value));
        });
      }),
  };
}

/** Memory of `size` bytes, of which byte `at` begins a page of 4096. */
function pageMemory(koffi: Koffi, size: number, at = 0): Memory {
  const memory = new Uint8Array(size + pageSize);
  const start = -(addressOf(koffi, memory) + at) & (pageSize - 1);
  return memory.subarray(start, start + size);
}

/** Bytes of a huge page, and MADV_HUGEPAGE of asm-generic/mman.h. */
const hugePage = 2 * 1024 * 1024;
const adviseHuge = 14;

/**
 * Memory of `size` bytes that begins a page, in huge pages (madvise(2)) where the kernel has them: one piece for a disk that
 * reads it, which has to be told of each page of 4096 bytes otherwise. What is not touched takes none.
 */
export function hugeMemory(koffi: Koffi, size: number): Memory {
  const advise = koffi.load(null).func('int madvise(uintptr_t start, size_t length, int advice)');
  const whole = Math.ceil(size / hugePage) * hugePage;
  const memory = new Uint8Array(whole + hugePage);
  const address = addressOf(koffi, memory);
  const start = -address & (hugePage - 1);
  // Where that is refused, small pages do as well.
  advise(address + start, whole, adviseHuge);
  return memory.subarray(start, start + size);
}

function addressOf(koffi: Koffi, memory: Memory): number {
  // Moves nothing, and returns where its first argument is.
  const move = koffi.load(null).func('uintptr_t memmove(void *to, const void *from, size_t length)');
  return move(memory, memory, 0) as number;
}

/** `result` itself, or an error that says what was tried. */
export function expectSuccess(result: number, what: string): number {
  if (result < 0)
    throw new FuseError('FUSE_NATIVE', `${what}: success expected, ${errnoName(-result)} found`);
  return result;
}
