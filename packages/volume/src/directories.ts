import { concatBytes } from '@ensconce/base/bytes';
import { VolumeError } from './errors.ts';
import { entryKey, hashSize, isOf, kind, nameHash, numberAt } from './key.ts';
import { longestValue } from './page.ts';
import type { Volume } from './volume.ts';

/** What a name in a directory stands for. */
export interface DirectoryEntry {
  readonly ino: number;
  /** File type bits of `mode`, shifted down (DT_*). */
  readonly type: number;
}

const entryHeader = 8;
/** Offsets in an entry. */
const entryType = 6;
const entryLength = 7;

/** Entries whose names have the same hash stand together: inode u48, type u8, length u8, name. */
export function* entriesOf(
  value: Uint8Array,
): Generator<DirectoryEntry & { name: Uint8Array; at: number; end: number }> {
  for (let at = 0; at < value.length;) {
    const end = at + entryHeader + (value[at + entryLength] ?? 0);
    if (end > value.length) malformed(end - at, value.length - at);
    yield {
      ino: numberAt(value, at, 6),
      type: value[at + entryType] as number,
      name: value.subarray(at + entryHeader, end),
      at,
      end,
    };
    at = end;
  }
}

/** Where the entry of this name starts; -1 if there is none. */
function find(value: Uint8Array, name: Uint8Array): number {
  for (let at = 0; at < value.length;) {
    const length = value[at + entryLength] ?? 0;
    const end = at + entryHeader + length;
    if (end > value.length) malformed(end - at, value.length - at);
    if (length === name.length) {
      let i = 0;
      while (i < length && value[at + entryHeader + i] === name[i]) i++;
      if (i === length) return at;
    }
    at = end;
  }
  return -1;
}

function malformed(expected: number, found: number): never {
  throw new VolumeError('VOLUME_DAMAGED', `a directory entry of ${expected} bytes expected, ${found} found`);
}

function encodeEntry(name: Uint8Array, entry: DirectoryEntry): Uint8Array {
  const bytes = new Uint8Array(entryHeader + name.length);
  let rest = entry.ino;
  for (let i = 5; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = entry.type;
  bytes[7] = name.length;
  bytes.set(name, entryHeader);
  return bytes;
}

/** The names of a volume's directories. */
export class Directories {
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  #key(parent: number, name: Uint8Array): Uint8Array {
    return entryKey(parent, nameHash(name, this.#volume.keys.nameSeed));
  }

  lookup(parent: number, name: Uint8Array): DirectoryEntry | undefined {
    const value = this.#volume.get(this.#key(parent, name));
    const at = value ? find(value, name) : -1;
    return value && at >= 0
      ? { ino: numberAt(value, at, 6), type: value[at + entryType] as number }
      : undefined;
  }

  /** Adds a name that is not there. False: no room among names that collide with it. */
  add(parent: number, name: Uint8Array, entry: DirectoryEntry): boolean {
    const key = this.#key(parent, name);
    const old = this.#volume.get(key) ?? new Uint8Array();
    const added = encodeEntry(name, entry);
    if (old.length + added.length > longestValue) return false;
    const value = new Uint8Array(old.length + added.length);
    value.set(old);
    value.set(added, old.length);
    this.#volume.put(key, value);
    return true;
  }

  remove(parent: number, name: Uint8Array): void {
    const key = this.#key(parent, name);
    const value = this.#volume.get(key);
    const at = value ? find(value, name) : -1;
    if (!value || at < 0) return;
    const end = at + entryHeader + name.length;
    if (end - at === value.length) this.#volume.delete(key);
    else this.#volume.put(key, concatBytes(value.subarray(0, at), value.subarray(end)));
  }

  /** Lets a name stand for something else. */
  replace(parent: number, name: Uint8Array, entry: DirectoryEntry): void {
    this.remove(parent, name);
    this.add(parent, name, entry);
  }

  /**
   * Visits the names from hash `from` on; entries of one hash come in one call. Changes only after the last visit.
   */
  list(
    parent: number,
    from: number,
    visit: (hash: number, entries: readonly (DirectoryEntry & { name: Uint8Array })[]) => boolean,
  ): void {
    this.#volume.scan(entryKey(parent, from), (key, value) => {
      if (!isOf(key, parent, kind.entry)) return false;
      return visit(numberAt(key, 7, hashSize), [...entriesOf(value)]);
    });
  }
}
