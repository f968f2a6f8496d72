import type { Attributes, Entry } from '@ensconce/fuse/attributes';
import type { DirectoryWriter } from '@ensconce/fuse/directory';
import { errno } from '@ensconce/fuse/errno';
import type { Filesystem, Opened } from '@ensconce/fuse/filesystem';
import { openFlag } from '@ensconce/fuse/protocol';

/** What a kernel file answers with instead of a result. */
export class Refusal extends Error {
  readonly errno: number;

  constructor(number: number) {
    super(`errno ${number}`);
    this.errno = number;
  }
}

/** A file whose contents are made when it is read, and that acts when it is written. */
export interface KernelFile {
  readonly kind: 'file';
  readonly mode: number;
  /** Called at the first read of each open file; later reads go on in the same bytes. */
  readonly read?: () => Uint8Array;
  /** `offset` is where in the file the write begins. */
  readonly write?: (bytes: Uint8Array, offset: number) => void;
  /**
   * As binary attributes of configfs: what was written is put together, takes effect at close(2), and nobody hears of a
   * failure (fs/configfs/file.c, configfs_release_bin_file).
   */
  readonly takesEffectAtClose?: boolean;
}

export interface KernelFolder {
  readonly kind: 'folder';
  readonly children: Map<string, KernelNode>;
  /** Makes a folder, with contents of the kernel's; absent where nobody may. */
  readonly make?: (name: string) => KernelFolder;
  /** Called before a folder goes, whatever is in it. */
  readonly remove?: (name: string) => void;
}

export type KernelNode = KernelFile | KernelFolder;

export const folder = (children: Readonly<Record<string, KernelNode>> = {}): KernelFolder => ({
  kind: 'folder',
  children: new Map(Object.entries(children)),
});

interface OpenFile {
  readonly file: KernelFile;
  contents: Uint8Array | undefined;
  pending: Uint8Array | undefined;
}

const names = new TextDecoder();
const nameBytes = new TextEncoder();

function answering(action: () => number): number {
  try {
    return action();
  } catch (error) {
    if (error instanceof Refusal) return -error.errno;
    throw error;
  }
}

/** Serves kernel files: nothing is cached, nothing has a size, and truncating them is an error. */
export class KernelTree implements Filesystem {
  readonly #nodes: KernelNode[] = [];
  readonly #numbers = new Map<KernelNode, number>();
  readonly #open = new Map<number, OpenFile>();
  #nextHandle = 1;

  constructor(root: KernelFolder) {
    this.#number(root);
  }

  #number(node: KernelNode): number {
    const known = this.#numbers.get(node);
    if (known !== undefined) return known;
    const number = this.#nodes.push(node);
    this.#numbers.set(node, number);
    return number;
  }

  #folder(number: number): KernelFolder {
    const node = this.#nodes[number - 1];
    if (node?.kind !== 'folder') throw new Refusal(errno.ENOTDIR);
    return node;
  }

  #describe(number: number, attributes: Attributes): void {
    const node = this.#nodes[number - 1];
    if (node === undefined) throw new Refusal(errno.ESTALE);
    attributes.ino = number;
    attributes.size = 0;
    attributes.mode = node.kind === 'folder' ? 0o040755 : 0o100000 | node.mode;
    attributes.validity = 0;
  }

  #enter(node: KernelNode, entry: Entry): number {
    entry.node = this.#number(node);
    entry.validity = 0;
    this.#describe(entry.node, entry.attributes);
    return 0;
  }

  lookup(parent: number, name: Uint8Array, entry: Entry): number {
    return answering(() => {
      const node = this.#folder(parent).children.get(names.decode(name));
      return node === undefined ? -errno.ENOENT : this.#enter(node, entry);
    });
  }

  getattr(node: number, _handle: number, attributes: Attributes): number {
    return answering(() => {
      this.#describe(node, attributes);
      return 0;
    });
  }

  /** O_TRUNC arrives here; kernel files that were opened for one write of their whole value never need it. */
  setattr(): number {
    return -errno.EINVAL;
  }

  mkdir(parent: number, name: Uint8Array, _mode: number, entry: Entry): number {
    return answering(() => {
      const within = this.#folder(parent);
      const text = names.decode(name);
      if (within.make === undefined) return -errno.EPERM;
      if (within.children.has(text)) return -errno.EEXIST;
      const made = within.make(text);
      within.children.set(text, made);
      return this.#enter(made, entry);
    });
  }

  rmdir(parent: number, name: Uint8Array): number {
    return answering(() => {
      const within = this.#folder(parent);
      const text = names.decode(name);
      if (within.make === undefined) return -errno.EPERM;
      if (!within.children.has(text)) return -errno.ENOENT;
      within.remove?.(text);
      within.children.delete(text);
      return 0;
    });
  }

  open(node: number, _flags: number, _kill: boolean, opened: Opened): number {
    const file = this.#nodes[node - 1];
    if (file?.kind !== 'file') return -errno.EISDIR;
    opened.handle = this.#nextHandle++;
    opened.flags = openFlag.DIRECT_IO;
    this.#open.set(opened.handle, { file, contents: undefined, pending: undefined });
    return 0;
  }

  read(_node: number, handle: number, offset: number, length: number, into: Uint8Array, at: number): number {
    return answering(() => {
      const open = this.#open.get(handle);
      if (open?.file.read === undefined) return -errno.EINVAL;
      open.contents ??= open.file.read();
      const part = open.contents.subarray(offset, offset + length);
      into.set(part, at);
      return part.length;
    });
  }

  write(_node: number, handle: number, offset: number, length: number, from: Uint8Array, at: number): number {
    return answering(() => {
      const open = this.#open.get(handle);
      if (open?.file.write === undefined) return -errno.EINVAL;
      const bytes = Uint8Array.from(from.subarray(at, at + length));
      if (open.file.takesEffectAtClose !== true) {
        open.file.write(bytes, offset);
        return length;
      }
      const whole = new Uint8Array(Math.max(offset + length, open.pending?.length ?? 0));
      whole.set(open.pending ?? new Uint8Array());
      whole.set(bytes, offset);
      open.pending = whole;
      return length;
    });
  }

  flush(_node: number, handle: number): number {
    const open = this.#open.get(handle);
    const pending = open?.pending;
    if (open === undefined || pending === undefined) return 0;
    open.pending = undefined;
    answering(() => {
      open.file.write?.(pending, 0);
      return 0;
    });
    return 0;
  }

  release(_node: number, handle: number): number {
    this.#open.delete(handle);
    return 0;
  }

  readdir(node: number, _handle: number, offset: number, writer: DirectoryWriter): number {
    if (!writer.addDots(offset, node)) return 0;
    const children = [...this.#folder(node).children];
    for (let i = Math.max(0, offset - 2); i < children.length; i++) {
      const [name, child] = children[i] as [string, KernelNode];
      const mode = child.kind === 'folder' ? 0o040000 : 0o100000;
      if (!writer.add(nameBytes.encode(name), this.#number(child), mode, i + 3)) break;
    }
    return 0;
  }
}
