import type { Backing, BackingFile } from '../src/backing.ts';

function failure(code: string, name: string): Error {
  return Object.assign(new Error(`${code}: ${name}`), { code });
}

/** One change of a directory, as far as a crash can tell. */
export type Step =
  /** With `bytes`: the file had another name before, and them. */
  | { readonly kind: 'create'; readonly name: string; readonly bytes?: Uint8Array }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'replace'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'write'; readonly name: string; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'sync'; readonly name: string }
  | { readonly kind: 'syncNames' };

/** A directory in memory that remembers every step, so that a test can stop it anywhere. */
export class MemoryBacking implements Backing {
  readonly files: Map<string, Uint8Array>;
  readonly steps: Step[] = [];
  /** What the disk was told to begin with. */
  readonly begun: { readonly name: string; readonly position: number; readonly length: number }[] = [];
  /** Tells those who have a file open of its new name. */
  readonly #renamed: ((from: string, to: string) => void)[] = [];
  renames = 0;
  free = 1e12;
  total = 1e12;

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.files = new Map(files);
  }

  #file(first: string): BackingFile {
    let name = first;
    this.#renamed.push((from, to) => {
      if (name === from) name = to;
    });
    return {
      read: (position, into, at, length) => {
        const part = (this.files.get(name) ?? new Uint8Array()).subarray(position, position + length);
        into.set(part, at);
        return part.length;
      },
      write: (position, from, at, length) => {
        // A disk takes what it has room for before it says that it is full.
        const taken = Math.min(length, this.free);
        this.free -= taken;
        const bytes = from.slice(at, at + taken);
        if (taken > 0) this.steps.push({ kind: 'write', name, position, bytes });
        this.files.set(name, writeInto(this.files.get(name) ?? new Uint8Array(), position, bytes));
        if (taken < length) throw failure('ENOSPC', name);
      },
      startWriteback: (position, length) => this.begun.push({ name, position, length }),
      size: () => this.files.get(name)?.length ?? 0,
      links: () => 1,
      sync: () => this.steps.push({ kind: 'sync', name }),
      close: () => undefined,
    };
  }

  create(name: string): BackingFile {
    if (this.files.has(name)) throw failure('EEXIST', name);
    this.steps.push({ kind: 'create', name });
    this.files.set(name, new Uint8Array());
    return this.#file(name);
  }

  open(name: string): BackingFile {
    if (!this.files.has(name)) throw failure('ENOENT', name);
    return this.#file(name);
  }

  names(): IteratorObject<string> {
    return [...this.files.keys()].values();
  }

  remove(name: string): void {
    const bytes = this.files.get(name);
    if (!bytes) throw failure('ENOENT', name);
    this.files.delete(name);
    this.free += bytes.length;
    this.steps.push({ kind: 'remove', name });
  }

  rename(from: string, to: string): void {
    const bytes = this.files.get(from);
    if (!bytes) throw failure('ENOENT', from);
    if (this.files.has(to)) throw failure('EEXIST', to);
    this.files.set(to, bytes);
    this.files.delete(from);
    this.steps.push({ kind: 'create', name: to, bytes: bytes.slice() }, { kind: 'remove', name: from });
    for (const tell of this.#renamed) tell(from, to);
    this.renames++;
  }

  replace(name: string, bytes: Uint8Array): void {
    if (bytes.length > this.free) throw failure('ENOSPC', name);
    this.steps.push({ kind: 'replace', name, bytes: bytes.slice() });
    this.files.set(name, bytes.slice());
  }

  syncNames(): void {
    this.steps.push({ kind: 'syncNames' });
  }

  space(): { free: number; total: number } {
    return { free: this.free, total: this.total };
  }
}

export function writeInto(file: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const grown = new Uint8Array(Math.max(file.length, position + bytes.length));
  grown.set(file);
  grown.set(bytes, position);
  return grown;
}
