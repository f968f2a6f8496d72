import { FuseErrno } from './errno.ts';
import { FuseError } from './errors.ts';
import { headerIn } from './protocol.ts';

/** Who asks. One object serves all requests of a worker: what must outlive the call is copied. */
export interface Caller {
  /** Identifies the request until it is answered. */
  readonly unique: number;
  readonly uid: number;
  readonly gid: number;
  /** Process id, 0 where the kernel itself asks (writeback, readahead) or the process is of a foreign namespace. */
  readonly pid: number;
}

const longestName = 255;
const word = 0x1_0000_0000;

/**
 * One request in the device's buffer. The kernel wrote it, but every read is checked against its length all the same.
 * The object and its buffer are reused for the next request.
 */
export class Request implements Caller {
  readonly buffer: Uint8Array;
  readonly #view: DataView;
  /** Views of names that stand right after the header, by length: LOOKUP makes no garbage. */
  readonly #names: (Uint8Array | undefined)[] = [];
  opcode = 0;
  unique = 0;
  node = 0;
  uid = 0;
  gid = 0;
  pid = 0;
  /** Offset after the last byte of the operation's arguments. */
  end = 0;

  constructor(buffer: Uint8Array) {
    this.buffer = buffer;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  /**
   * Reads the header of a request of `length` bytes.
   *
   * @throws FuseError `FUSE_REQUEST`
   */
  parse(length: number): void {
    const view = this.#view;
    if (length < headerIn || length > this.buffer.length)
      throw new FuseError(
        'FUSE_REQUEST',
        `request: ${headerIn} to ${this.buffer.length} bytes expected, ${length} found`,
      );
    this.end = length;
    this.opcode = view.getUint32(4, true);
    this.unique = this.u64(8);
    this.node = this.u64(16);
    this.uid = view.getUint32(24, true);
    this.gid = view.getUint32(28, true);
    this.pid = view.getUint32(32, true);
    const said = view.getUint32(0, true);
    if (said !== length)
      throw new FuseError('FUSE_REQUEST', `request: ${said} bytes expected, ${length} found`);
    const extensions = view.getUint16(36, true) * 8;
    if (extensions > length - headerIn)
      throw new FuseError(
        'FUSE_REQUEST',
        `request: extensions of at most ${length - headerIn} bytes expected, ${extensions} found`,
      );
    this.end = length - extensions;
  }

  /** Makes sure that `size` bytes of arguments follow the header. */
  need(size: number): void {
    if (headerIn + size > this.end) this.#short(size);
  }

  #short(size: number): never {
    throw new FuseError(
      'FUSE_REQUEST',
      `request ${this.opcode}: ${size} bytes of arguments expected, ${this.end - headerIn} found`,
    );
  }

  u32(at: number): number {
    if (at + 4 > this.end) this.#short(at + 4 - headerIn);
    return this.#view.getUint32(at, true);
  }

  /** A u64 as a number; above 2⁵³ it is rounded, which callers refuse by `Number.isSafeInteger`. */
  u64(at: number): number {
    if (at + 8 > this.end) this.#short(at + 8 - headerIn);
    const high = this.#view.getUint32(at + 4, true);
    return high === 0 ? this.#view.getUint32(at, true) : high * word + this.#view.getUint32(at, true);
  }

  /** A two's-complement i64, exact between −2⁵³ and 2⁵³. */
  i64(at: number): number {
    if (at + 8 > this.end) this.#short(at + 8 - headerIn);
    return this.#view.getInt32(at + 4, true) * word + this.#view.getUint32(at, true);
  }

  /** Offset of the NUL that ends the name starting at `at`. */
  #terminator(at: number): number {
    const buffer = this.buffer;
    for (let i = at; i < this.end; i++) if (buffer[i] === 0) return i;
    throw new FuseError('FUSE_REQUEST', `request ${this.opcode}: a name ending in NUL expected, none found`);
  }

  /** The NUL-terminated text at `at`, a view that lives as long as the request. */
  text(at: number): Uint8Array {
    return this.buffer.subarray(at, this.#terminator(at));
  }

  /** The name of 1 to 255 bytes at `at`; the kernel itself would let longer ones pass. */
  name(at: number): Uint8Array {
    const length = this.#terminator(at) - at;
    if (length > longestName) throw new FuseErrno('ENAMETOOLONG');
    if (length === 0) throw new FuseErrno('EINVAL');
    if (at !== headerIn) return this.buffer.subarray(at, at + length);
    return (this.#names[length] ??= this.buffer.subarray(at, at + length));
  }

  /** Offset after the NUL-terminated name at `at`. */
  after(at: number): number {
    return this.#terminator(at) + 1;
  }
}
