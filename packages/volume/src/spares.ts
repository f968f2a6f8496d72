import type { Backing, BackingFile } from './backing.ts';

/** Files that are kept at most, … */
const most = 4;
/** … and only where so many segments would find room. */
const plenty = 16;

/**
 * Files of segments that were removed, kept for the next ones under the names they have: writing over them costs the backing file
 * system nothing but the writing. What they hold was sealed under other keys.
 */
export class Spares {
  readonly #backing: Backing;
  readonly #files = new Map<string, BackingFile>();

  constructor(backing: Backing) {
    this.#backing = backing;
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** Keeps the file of a removed segment, if that is worth it where segments have at most `limit` bytes; false if not. */
  keep(name: string, file: BackingFile, limit: number): boolean {
    const backing = this.#backing;
    if (!backing.rename || this.#files.size >= most) return false;
    // After a crash a file may have the name of a later segment as well.
    if (file.links() !== 1) return false;
    if (file.size() < limit / 2 || backing.space().free < plenty * limit) return false;
    this.#files.set(name, file);
    return true;
  }

  /**
   * A file that has the name of a new segment now; undefined where there is none to be had.
   *
   * @throws EEXIST where the name is taken
   */
  take(name: string): BackingFile | undefined {
    const [old, file] = this.#files.entries().next().value ?? [];
    if (old === undefined) return undefined;
    try {
      this.#backing.rename?.(old, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
      // A file system without hard links, or somebody took the file: it would be the same with the others.
      this.remove();
      return undefined;
    }
    this.#files.delete(old);
    return file;
  }

  /** Removes them all; false where there were none. What cannot be removed does no harm. */
  remove(): boolean {
    const files = [...this.#files];
    this.#files.clear();
    for (const [name, file] of files) {
      file.close();
      try {
        this.#backing.remove(name);
      } catch {
        // The next writer tidies.
      }
    }
    return files.length > 0;
  }
}
