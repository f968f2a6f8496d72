import { equalBytes } from '@ensconce/base/bytes';
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

/** Entries whose names have the same hash stand together: inode u48, type u8, length u8, name. */
export function* entriesOf(
  value: Uint8Array,
): Generator<DirectoryEntry & { name: Uint8Array; at: number; end: number }> {
  for (let at = 0; at < value.length;) {
    const end = at + entryHeader + (value[at + 7] ?? 0);
    if (end > value.length)
      throw new VolumeError(
        'VOLUME_DAMAGED',
        `a directory entry of ${end - at} bytes expected, ${value.length - at} found`,
      );
    yield {
      ino: numberAt(value, at, 6),
      type: value[at + 6] as number,
      name: value.subarray(at + entryHeader, end),
      at,
      end,
    };
    at = end;
  }
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
    if (!value) return undefined;
    for (const entry of entriesOf(value)) if (equalBytes(entry.name, name)) return entry;
    return undefined;
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
    if (!value) return;
    for (const { name: found, at, end } of entriesOf(value)) {
      if (!equalBytes(found, name)) continue;
      if (end - at === value.length) this.#volume.delete(key);
      else this.#volume.put(key, Uint8Array.from([...value.subarray(0, at), ...value.subarray(end)]));
      return;
    }
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
