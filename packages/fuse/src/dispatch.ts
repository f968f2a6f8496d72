import { Attributes, Entry, putAttributesReply, putEntry, putU64 } from './attributes.ts';
import { DirectoryWriter } from './directory.ts';
import { FuseError } from './errors.ts';
import { errno, FuseErrno } from './errno.ts';
import type { AttributeChange, Filesystem, Opened, Statistics } from './filesystem.ts';
import {
  fsyncDataOnly,
  headerIn,
  headerOut,
  largestTransfer,
  opcode,
  openKillSuidgid,
  pageSize,
  replySize,
  setAttribute,
  writeData,
  writeFlag,
} from './protocol.ts';
import type { Request } from './request.ts';

/** The request wants no answer. */
export const silent = -0x4000_0001;

/** Offset in the reply buffer where results begin. */
const out = headerOut;
/** Offset in the request buffer where arguments begin. */
const arg = headerIn;
const unsupported = -errno.ENOSYS;

/** Calls the method of a file system that a request asks for, and puts its result behind the header of the reply. */
export class Dispatcher {
  /** The reply: `headerOut` bytes for the header, then the result. */
  readonly reply: Uint8Array;
  readonly view: DataView;
  /** Whether SETXATTR has the 16 bytes of arguments that INIT can agree on, or 8. */
  extendedSetxattr = false;
  readonly #filesystem: Filesystem;
  readonly #request: Request;
  readonly #log: (line: string) => void;
  readonly #entry = new Entry();
  readonly #attributes = new Attributes();
  readonly #opened: Opened = { handle: 0, flags: 0 };
  readonly #writer: DirectoryWriter;
  readonly #change: AttributeChange = {
    valid: 0,
    handle: -1,
    size: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    atime: 0,
    atimeNanoseconds: 0,
    mtime: 0,
    mtimeNanoseconds: 0,
    ctime: 0,
    ctimeNanoseconds: 0,
  };

  /** `reply`: memory of `replySize` bytes. */
  constructor(
    filesystem: Filesystem,
    request: Request,
    log: (line: string) => void,
    reply: Uint8Array = new Uint8Array(replySize),
  ) {
    this.reply = reply;
    this.view = new DataView(reply.buffer, reply.byteOffset, reply.length);
    this.#writer = new DirectoryWriter(reply);
    this.#filesystem = filesystem;
    this.#request = request;
    this.#log = log;
  }

  /** Handles the parsed request; returns the size of the result, a negative error number, `deferred` or `silent`. */
  handle(): number {
    try {
      return this.#handle(this.#request);
    } catch (error) {
      const { opcode: code } = this.#request;
      const wantsNoAnswer = code === opcode.FORGET || code === opcode.BATCH_FORGET;
      if (error instanceof FuseErrno) return wantsNoAnswer ? silent : -error.errno;
      this.#log(
        `request ${code} on node ${this.#request.node}: ${error instanceof Error ? error.message : 'not an error was thrown'}`,
      );
      if (wantsNoAnswer) return silent;
      return error instanceof FuseError && error.code === 'FUSE_REQUEST' ? -errno.EINVAL : -errno.EIO;
    }
  }

  #handle(request: Request): number {
    const fs = this.#filesystem;
    const node = request.node;
    if (!Number.isSafeInteger(node)) return -errno.EINVAL;
    switch (request.opcode) {
      case opcode.LOOKUP:
        return this.#entered(fs.lookup(node, request.name(arg), this.#fresh(), request), true);
      case opcode.GETATTR: {
        const handle = request.u32(arg) & 1 ? request.u64(arg + 8) : -1;
        return this.#attributed(fs.getattr(node, handle, this.#attributes, request));
      }
      case opcode.READ:
        return this.#read(request);
      case opcode.WRITE:
        return this.#write(request);
      case opcode.FORGET:
        fs.forget?.(node, request.u64(arg));
        return silent;
      case opcode.BATCH_FORGET:
        return this.#batchForget(request);
      case opcode.SETATTR:
        return this.#setattr(request);
      case opcode.READLINK:
        return fs.readlink ? fs.readlink(node, this.reply, out, pageSize) : unsupported;
      case opcode.SYMLINK: {
        if (!fs.symlink) return unsupported;
        const target = request.after(arg);
        return this.#entered(
          fs.symlink(node, request.name(arg), request.text(target), this.#fresh(), request),
        );
      }
      case opcode.MKNOD: {
        if (!fs.mknod) return unsupported;
        const mode = request.u32(arg);
        const rdev = request.u32(arg + 4);
        return this.#entered(fs.mknod(node, request.name(arg + 16), mode, rdev, this.#fresh(), request));
      }
      case opcode.MKDIR:
        if (!fs.mkdir) return unsupported;
        return this.#entered(fs.mkdir(node, request.name(arg + 8), request.u32(arg), this.#fresh(), request));
      case opcode.UNLINK:
        return fs.unlink ? status(fs.unlink(node, request.name(arg), request)) : unsupported;
      case opcode.RMDIR:
        return fs.rmdir ? status(fs.rmdir(node, request.name(arg), request)) : unsupported;
      case opcode.RENAME:
        return this.#rename(request, arg + 8, 0);
      case opcode.RENAME2:
        return this.#rename(request, arg + 16, request.u32(arg + 8));
      case opcode.LINK:
        if (!fs.link) return unsupported;
        return this.#entered(fs.link(request.u64(arg), node, request.name(arg + 8), this.#fresh(), request));
      case opcode.OPEN: {
        if (!fs.open) return unsupported;
        const kill = (request.u32(arg + 4) & openKillSuidgid) !== 0;
        return this.#openedReply(fs.open(node, request.u32(arg), kill, this.#freshOpened(), request), out);
      }
      case opcode.OPENDIR:
        if (!fs.opendir) return unsupported;
        return this.#openedReply(fs.opendir(node, request.u32(arg), this.#freshOpened(), request), out);
      case opcode.CREATE: {
        if (!fs.create) return unsupported;
        const [flags, mode] = [request.u32(arg), request.u32(arg + 4)];
        return this.#created(
          fs.create(node, request.name(arg + 16), flags, mode, this.#fresh(), this.#freshOpened(), request),
        );
      }
      case opcode.TMPFILE:
        if (!fs.tmpfile) return unsupported;
        return this.#created(
          fs.tmpfile(
            node,
            request.u32(arg),
            request.u32(arg + 4),
            this.#fresh(),
            this.#freshOpened(),
            request,
          ),
        );
      case opcode.STATFS:
        return this.#statfs(node);
      case opcode.RELEASE:
        return fs.release ? status(fs.release(node, request.u64(arg))) : 0;
      case opcode.RELEASEDIR:
        return fs.releasedir ? status(fs.releasedir(node, request.u64(arg))) : 0;
      case opcode.FLUSH:
        return fs.flush ? status(fs.flush(node, request.u64(arg), request)) : unsupported;
      case opcode.FSYNC:
      case opcode.FSYNCDIR: {
        const dataOnly = (request.u32(arg + 8) & fsyncDataOnly) !== 0;
        const handle = request.u64(arg);
        return status(
          request.opcode === opcode.FSYNC
            ? (fs.fsync?.(node, handle, dataOnly, request) ?? unsupported)
            : (fs.fsyncdir?.(node, handle, dataOnly, request) ?? unsupported),
        );
      }
      case opcode.READDIR:
        return this.#readdir(request, false);
      case opcode.READDIRPLUS:
        return this.#readdir(request, true);
      case opcode.ACCESS:
        return fs.access ? status(fs.access(node, request.u32(arg), request)) : unsupported;
      case opcode.SETXATTR:
        return this.#setxattr(request);
      case opcode.GETXATTR: {
        if (!fs.getxattr) return unsupported;
        const capacity = Math.min(request.u32(arg), largestTransfer);
        return this.#sized(
          capacity,
          fs.getxattr(node, request.name(arg + 8), this.reply, out, capacity, request),
        );
      }
      case opcode.LISTXATTR: {
        if (!fs.listxattr) return unsupported;
        const capacity = Math.min(request.u32(arg), largestTransfer);
        return this.#sized(capacity, fs.listxattr(node, this.reply, out, capacity, request));
      }
      case opcode.REMOVEXATTR:
        return fs.removexattr ? status(fs.removexattr(node, request.name(arg), request)) : unsupported;
      case opcode.FALLOCATE: {
        if (!fs.fallocate) return unsupported;
        const [handle, offset, length] = [request.u64(arg), request.u64(arg + 8), request.u64(arg + 16)];
        if (!Number.isSafeInteger(offset + length)) return -errno.EFBIG;
        return status(fs.fallocate(node, handle, offset, length, request.u32(arg + 24), request));
      }
      case opcode.LSEEK: {
        if (!fs.lseek) return unsupported;
        const offset = request.u64(arg + 8);
        if (!Number.isSafeInteger(offset)) return -errno.ENXIO;
        const found = fs.lseek(node, request.u64(arg), offset, request.u32(arg + 16));
        if (found < 0) return found;
        putU64(this.view, out, found);
        return 8;
      }
      case opcode.COPY_FILE_RANGE:
        return this.#copyFileRange(request);
      // Each request is finished before the next is read, so there is nothing left to interrupt.
      case opcode.INTERRUPT:
      case opcode.NOTIFY_REPLY:
        return silent;
      case opcode.DESTROY:
        return 0;
      default:
        return unsupported;
    }
  }

  #fresh(): Entry {
    const entry = this.#entry;
    entry.node = 0;
    entry.generation = 0;
    entry.validity = 0;
    return entry;
  }

  #freshOpened(): Opened {
    this.#opened.handle = 0;
    this.#opened.flags = 0;
    return this.#opened;
  }

  #entered(result: number, negative = false): number {
    if (result < 0) return result;
    if (!negative && this.#entry.node === 0) return -errno.EIO;
    return putEntry(this.view, out, this.#entry);
  }

  #attributed(result: number): number {
    return result < 0 ? result : putAttributesReply(this.view, out, this.#attributes);
  }

  #openedReply(result: number, at: number): number {
    if (result < 0) return result;
    putU64(this.view, at, this.#opened.handle);
    this.view.setUint32(at + 8, this.#opened.flags, true);
    this.view.setUint32(at + 12, 0, true);
    return 16;
  }

  #created(result: number): number {
    const size = this.#entered(result);
    return size < 0 ? size : size + this.#openedReply(result, out + size);
  }

  /** GETXATTR and LISTXATTR: with capacity 0 the kernel asks for the size alone. */
  #sized(capacity: number, result: number): number {
    if (result < 0) return result;
    if (capacity > 0) return result > capacity ? -errno.ERANGE : result;
    putU64(this.view, out, result);
    return 8;
  }

  #read(request: Request): number {
    const fs = this.#filesystem;
    if (!fs.read) return unsupported;
    const offset = request.u64(arg + 8);
    if (!Number.isSafeInteger(offset)) return 0;
    const length = Math.min(request.u32(arg + 16), largestTransfer);
    return fs.read(request.node, request.u64(arg), offset, length, this.reply, out, request);
  }

  #write(request: Request): number {
    const fs = this.#filesystem;
    if (!fs.write) return unsupported;
    const offset = request.u64(arg + 8);
    const size = request.u32(arg + 16);
    request.need(40 + size);
    if (!Number.isSafeInteger(offset + size)) return -errno.EFBIG;
    const flags = request.u32(arg + 20) & (writeFlag.CACHE | writeFlag.KILL_SUIDGID);
    const taken = fs.write(
      request.node,
      request.u64(arg),
      offset,
      size,
      request.buffer,
      writeData,
      flags,
      request,
    );
    if (taken < 0) return taken;
    this.view.setUint32(out, taken, true);
    this.view.setUint32(out + 4, 0, true);
    return 8;
  }

  #batchForget(request: Request): number {
    const count = request.u32(arg);
    request.need(8 + count * 16);
    for (let i = 0, at = arg + 8; i < count; i++, at += 16)
      this.#filesystem.forget?.(request.u64(at), request.u64(at + 8));
    return silent;
  }

  #setattr(request: Request): number {
    const fs = this.#filesystem;
    if (!fs.setattr) return unsupported;
    request.need(88);
    const change = this.#change;
    change.valid = request.u32(arg);
    change.handle = change.valid & setAttribute.HANDLE ? request.u64(arg + 8) : -1;
    change.size = request.u64(arg + 16);
    change.atime = request.i64(arg + 32);
    change.mtime = request.i64(arg + 40);
    change.ctime = request.i64(arg + 48);
    change.atimeNanoseconds = request.u32(arg + 56);
    change.mtimeNanoseconds = request.u32(arg + 60);
    change.ctimeNanoseconds = request.u32(arg + 64);
    change.mode = request.u32(arg + 68);
    change.uid = request.u32(arg + 76);
    change.gid = request.u32(arg + 80);
    if (change.valid & setAttribute.SIZE && !Number.isSafeInteger(change.size)) return -errno.EFBIG;
    return this.#attributed(fs.setattr(request.node, change, this.#attributes, request));
  }

  #rename(request: Request, at: number, flags: number): number {
    const fs = this.#filesystem;
    if (!fs.rename) return unsupported;
    const newName = request.name(request.after(at));
    return status(fs.rename(request.node, request.name(at), request.u64(arg), newName, flags, request));
  }

  #statfs(node: number): number {
    const fs = this.#filesystem;
    if (!fs.statfs) return unsupported;
    const s: Statistics = {
      blocks: 0,
      freeBlocks: 0,
      availableBlocks: 0,
      files: 0,
      freeFiles: 0,
      blockSize: pageSize,
      nameLength: 255,
    };
    const result = fs.statfs(node, s);
    if (result < 0) return result;
    const view = this.view;
    for (let i = 0; i < 80; i += 8) putU64(view, out + i, 0);
    [s.blocks, s.freeBlocks, s.availableBlocks, s.files, s.freeFiles].forEach((value, i) =>
      putU64(view, out + i * 8, value),
    );
    view.setUint32(out + 40, s.blockSize, true);
    view.setUint32(out + 44, s.nameLength, true);
    view.setUint32(out + 48, s.blockSize, true);
    return 80;
  }

  #readdir(request: Request, plus: boolean): number {
    const fs = this.#filesystem;
    if (!fs.readdir) return unsupported;
    const offset = request.u64(arg + 8);
    if (!Number.isSafeInteger(offset)) return 0;
    this.#writer.start(out, Math.min(request.u32(arg + 16), largestTransfer), plus);
    const result = fs.readdir(request.node, request.u64(arg), offset, this.#writer, request);
    return result < 0 ? result : this.#writer.position - out;
  }

  #setxattr(request: Request): number {
    const fs = this.#filesystem;
    if (!fs.setxattr) return unsupported;
    const size = request.u32(arg);
    const at = arg + (this.extendedSetxattr ? 16 : 8);
    const name = request.name(at);
    const value = request.after(at);
    request.need(value - arg + size);
    return status(
      fs.setxattr(
        request.node,
        name,
        request.buffer.subarray(value, value + size),
        request.u32(arg + 4),
        this.extendedSetxattr && (request.u32(arg + 8) & 1) !== 0,
        request,
      ),
    );
  }

  #copyFileRange(request: Request): number {
    const fs = this.#filesystem;
    if (!fs.copyFileRange) return unsupported;
    request.need(56);
    const [offset, toOffset] = [request.u64(arg + 8), request.u64(arg + 32)];
    const length = Math.min(request.u64(arg + 40), 0x7fff_f000);
    if (!Number.isSafeInteger(offset + length) || !Number.isSafeInteger(toOffset + length))
      return -errno.EFBIG;
    const [toNode, toHandle] = [request.u64(arg + 16), request.u64(arg + 24)];
    const copied = fs.copyFileRange(
      request.node,
      request.u64(arg),
      offset,
      toNode,
      toHandle,
      toOffset,
      length,
      request,
    );
    if (copied < 0) return copied;
    putU64(this.view, out, copied);
    return 8;
  }
}

/** The size of the result of operations that only succeed or fail. */
function status(result: number): number {
  return result < 0 ? result : 0;
}
