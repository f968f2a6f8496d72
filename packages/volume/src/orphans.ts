import { orphanKey, orphanOf, volumeKind } from './key.ts';
import type { Volume } from './volume.ts';

const nothing = new Uint8Array();

/** Files without a name that are still in use. */
export class Orphans {
  readonly #volume: Volume;
  /** True once the map knows of it. */
  readonly #stored = new Map<number, boolean>();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  has(ino: number): boolean {
    return this.#stored.has(ino);
  }

  add(ino: number): void {
    this.#stored.set(ino, false);
  }

  delete(ino: number): void {
    if (this.#stored.get(ino)) this.#volume.delete(orphanKey(ino));
    this.#stored.delete(ino);
  }

  /** Those that were in use when the volume was last in use. */
  load(): number[] {
    const found: number[] = [];
    this.#volume.scan(orphanKey(0), (key) => {
      if (key[6] !== volumeKind.orphan) return false;
      found.push(orphanOf(key));
      return true;
    });
    for (const ino of found) this.#stored.set(ino, true);
    return found;
  }

  /** Puts all into the map. */
  flush(): void {
    for (const [ino, stored] of this.#stored) {
      if (stored) continue;
      this.#volume.put(orphanKey(ino), nothing);
      this.#stored.set(ino, true);
    }
  }
}
