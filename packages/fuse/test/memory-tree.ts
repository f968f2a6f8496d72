import type { NodeKind, ReadOnlyTree, TreeAttributes } from '../src/read-only.ts';

export interface MemoryNode {
  readonly kind: NodeKind;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly data?: Uint8Array;
  readonly target?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly rdev?: readonly [number, number];
  /** A name may be given as latin-1 text: each character is one byte. */
  readonly children?: Readonly<Record<string, MemoryNode>>;
  /** Makes every read of it fail. */
  readonly broken?: boolean;
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const text = (name: Uint8Array): string => Buffer.from(name).toString('latin1');

/** A tree of plain objects, with node numbers in the order of a depth-first walk. */
export class MemoryTree implements ReadOnlyTree {
  readonly #nodes: MemoryNode[] = [];
  readonly #children = new Map<number, Map<string, number>>();
  readonly #lists = new Map<number, [Uint8Array, number][]>();
  readonly hasXattrs: boolean;
  totalBytes = 0;

  constructor(root: MemoryNode) {
    this.#add(root);
    this.hasXattrs = this.#nodes.some((node) => node.xattrs !== undefined);
  }

  #add(node: MemoryNode): number {
    const id = this.#nodes.push(node);
    this.totalBytes += node.data?.length ?? 0;
    if (node.kind === 'directory') {
      const children = new Map<string, number>();
      this.#children.set(id, children);
      const list: [Uint8Array, number][] = [];
      this.#lists.set(id, list);
      for (const [name, child] of Object.entries(node.children ?? {})) {
        const number = this.#add(child);
        children.set(name, number);
        list.push([bytes(name), number]);
      }
    }
    return id;
  }

  #node(id: number): MemoryNode {
    const node = this.#nodes[id - 1];
    if (!node) throw new Error(`node ${id} is not there`);
    return node;
  }

  get nodeCount(): number {
    return this.#nodes.length;
  }

  attributes(id: number): TreeAttributes {
    const node = this.#node(id);
    const size = node.data?.length ?? node.target?.length ?? 0;
    return {
      kind: node.kind,
      mode: node.mode ?? (node.kind === 'directory' ? 0o755 : 0o644),
      uid: node.uid ?? 0,
      gid: node.gid ?? 0,
      size,
      links: node.kind === 'directory' ? 2 : 1,
      mtimeSeconds: node.mtime ?? 1_600_000_000,
      mtimeNanoseconds: 123_456_789,
      rdevMajor: node.rdev?.[0] ?? 0,
      rdevMinor: node.rdev?.[1] ?? 0,
      ino: id,
      blocks: Math.ceil(size / 512),
    };
  }

  lookup(parent: number, name: Uint8Array): number | undefined {
    return this.#children.get(parent)?.get(text(name));
  }

  read(id: number, offset: number, length: number, into: Uint8Array, at: number): number {
    const node = this.#node(id);
    if (node.broken) throw new Error('chunk 0: authentic bytes expected, others found');
    const part = (node.data ?? new Uint8Array()).subarray(offset, offset + length);
    into.set(part, at);
    return part.length;
  }

  readlink(id: number): Uint8Array {
    return bytes(this.#node(id).target ?? '');
  }

  list(
    id: number,
    start: number,
    visit: (name: Uint8Array, node: number, kind: NodeKind, nextCursor: number) => boolean,
  ): void {
    const entries = this.#lists.get(id) ?? [];
    for (let i = start; i < entries.length; i++) {
      const [name, child] = entries[i] as [Uint8Array, number];
      if (!visit(name, child, this.#node(child).kind, i + 1)) return;
    }
  }

  xattrNames(id: number): Uint8Array[] {
    return Object.keys(this.#node(id).xattrs ?? {}).map((name) => bytes(name));
  }

  xattr(id: number, name: Uint8Array): Uint8Array | undefined {
    const value = this.#node(id).xattrs?.[text(name)];
    return value === undefined ? undefined : bytes(value);
  }
}
