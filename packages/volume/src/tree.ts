import type { Location } from './frame.ts';
import { getLocation, locationSize, putLocation } from './frame.ts';
import { longestKey, longestValue, Page } from './page.ts';
import { PageMemories } from './page-memory.ts';
import type { PageMemory } from './page-memory.ts';

/** Where pages come from and go to. */
export interface PageStore {
  /** Reads an authentic page into `memory`, if given; throws `VolumeError`. */
  load(location: Location, level: number | undefined, memory?: PageMemory): Page;
  store(page: Page): Location;
  /** The page at `location` is no longer part of the tree. */
  release(location: Location): void;
}

const noLocation = new Uint8Array(locationSize);

/** Pages that may be in memory, 18 KiB each, and how many of them at least need not be changed ones. */
const cachedPages = 384;
const cleanPages = 128;

/** A sorted map of short byte strings, in pages of which each holds the tags of those below it. */
export class Tree {
  readonly #store: PageStore;
  readonly #memories = new PageMemories();
  #root: Page;
  #round = 1;
  #loaded = 1;
  dirtyPages = 0;

  constructor(store: PageStore, root: Location | undefined) {
    this.#store = store;
    this.#root = root ? store.load(root, undefined) : new Page(0);
    this.#root.location = root;
    if (!root) this.dirtyPages = 1;
  }

  #child(page: Page, index: number): Page {
    let child = page.children[index];
    if (!child) {
      const location = getLocation(page.value(index), 0);
      child = this.#store.load(location, page.level - 1, this.#memories.take());
      child.location = location;
      page.children[index] = child;
      this.#loaded++;
    }
    child.touched = this.#round;
    return child;
  }

  /** A view of the value, valid until the next change or `settle`; undefined if there is none. */
  get(key: Uint8Array): Uint8Array | undefined {
    this.trim();
    let page = this.#root;
    while (page.level > 0) page = this.#child(page, page.childOf(key));
    const index = page.find(key);
    return page.holds(index, key) ? page.value(index) : undefined;
  }

  #dirty(page: Page): void {
    if (page.dirty) return;
    page.dirty = true;
    this.dirtyPages++;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    if (key.length === 0 || key.length > longestKey || value.length > longestValue)
      throw new RangeError(`an entry of ${key.length} and ${value.length} bytes`);
    this.trim();
    const left = this.#root;
    const right = this.#put(left, key, value);
    if (!right) return;
    const root = new Page(left.level + 1, this.#memories.take());
    this.dirtyPages++;
    this.#loaded++;
    for (const [i, page] of [left, right].entries()) {
      root.insert(i, page.key(0).slice(), noLocation);
      root.children[i] = page;
    }
    this.#root = root;
  }

  /** Returns the page that the right half went to, if `page` had to be divided. */
  #put(page: Page, key: Uint8Array, value: Uint8Array): Page | undefined {
    this.#dirty(page);
    if (page.level === 0) {
      const index = page.find(key);
      if (page.holds(index, key)) {
        if (page.fitsValue(index, value.length)) {
          page.replace(index, value);
          return undefined;
        }
        page.remove(index);
      }
      return this.#insert(page, index, key, value, undefined);
    }
    const index = page.childOf(key);
    const right = this.#put(this.#child(page, index), key, value);
    return right && this.#insert(page, index + 1, right.key(0).slice(), noLocation, right);
  }

  #insert(
    page: Page,
    index: number,
    key: Uint8Array,
    value: Uint8Array,
    child: Page | undefined,
  ): Page | undefined {
    let [target, at] = [page, index];
    let right: Page | undefined;
    if (!page.fits(key.length, value.length)) {
      // Keys mostly come in rising order: the left page then stays full.
      const cut = index === page.count ? index : page.middle();
      right = page.split(cut, this.#memories.take());
      right.touched = this.#round;
      this.dirtyPages++;
      this.#loaded++;
      if (index >= cut) [target, at] = [right, index - cut];
    }
    target.insert(at, key, value);
    if (child) target.children[at] = child;
    return right;
  }

  /** Whether there was such an entry. */
  delete(key: Uint8Array): boolean {
    this.trim();
    if (!this.#delete(this.#root, key)) return false;
    if (this.#root.count === 0 && this.#root.level > 0) {
      if (this.#root.location) this.#store.release(this.#root.location);
      this.#root = new Page(0);
    }
    return true;
  }

  #delete(page: Page, key: Uint8Array): boolean {
    if (page.level === 0) {
      const index = page.find(key);
      if (!page.holds(index, key)) return false;
      page.remove(index);
      this.#dirty(page);
      return true;
    }
    const index = page.childOf(key);
    const child = this.#child(page, index);
    if (!this.#delete(child, key)) return false;
    this.#dirty(page);
    if (child.count > 0) return true;
    if (child.location) this.#store.release(child.location);
    this.dirtyPages--;
    this.#loaded--;
    this.#memories.retire(child.memory);
    page.remove(index);
    return true;
  }

  /** Visits entries in order from the first key not less than `from`, until `visit` returns false. No changes meanwhile. */
  scan(from: Uint8Array, visit: (key: Uint8Array, value: Uint8Array) => boolean): void {
    this.#scan(this.#root, from, visit);
  }

  #scan(page: Page, from: Uint8Array, visit: (key: Uint8Array, value: Uint8Array) => boolean): boolean {
    if (page.level === 0) {
      for (let i = page.find(from); i < page.count; i++) if (!visit(page.key(i), page.value(i))) return false;
      return true;
    }
    for (let i = page.childOf(from); i < page.count; i++)
      if (!this.#scan(this.#child(page, i), from, visit)) return false;
    return true;
  }

  /** Visits every page, those that cannot be read with what is wrong with them. */
  visitPages(visit: (page: Page) => void, damaged: (location: Location, error: unknown) => void): void {
    this.#visitPage(this.#root, visit, damaged);
  }

  #visitPage(
    page: Page,
    visit: (page: Page) => void,
    damaged: (location: Location, error: unknown) => void,
  ): void {
    visit(page);
    if (page.level === 0) return;
    for (let i = 0; i < page.count; i++) {
      let child = page.children[i];
      if (!child) {
        const location = getLocation(page.value(i), 0);
        try {
          child = this.#store.load(location, page.level - 1);
          child.location = location;
        } catch (error) {
          damaged(location, error);
          continue;
        }
      }
      this.#visitPage(child, visit, damaged);
    }
  }

  /** Marks the pages whose stored place `moves`, so that the next `store` puts them elsewhere. */
  relocate(moves: (location: Location) => boolean): void {
    this.#relocate(this.#root, moves);
    if (this.#root.location && moves(this.#root.location)) this.#dirty(this.#root);
  }

  #relocate(page: Page, moves: (location: Location) => boolean): void {
    if (page.level === 0) return;
    for (let i = 0; i < page.count; i++) {
      const known = page.children[i];
      const location = known ? known.location : getLocation(page.value(i), 0);
      const moved = location !== undefined && moves(location);
      if (!moved && page.level === 1) continue;
      const child = this.#child(page, i);
      this.#relocate(child, moves);
      if (moved) this.#dirty(child);
      if (child.dirty) this.#dirty(page);
    }
  }

  /** Stores every changed page, lowest first; returns where the root is. */
  store(): Location {
    const root = this.#storePage(this.#root);
    this.dirtyPages = 0;
    this.trim();
    return root;
  }

  #storePage(page: Page): Location {
    if (!page.dirty && page.location) return page.location;
    for (let i = 0; i < page.children.length; i++) {
      const child = page.children[i];
      if (child?.dirty) {
        const value = new Uint8Array(locationSize);
        putLocation(value, 0, this.#storePage(child));
        page.replace(i, value);
      }
    }
    const old = page.location;
    page.location = this.#store.store(page);
    page.dirty = false;
    if (old) this.#store.release(old);
    return page.location;
  }

  /** Views that were handed out are no longer in use: memory of forgotten pages may be used again. */
  settle(): void {
    this.#memories.reuse();
  }

  /** Forgets pages that have not been used for a while, if there are too many. Changed ones stay. */
  trim(limit = Math.max(cleanPages, cachedPages - this.dirtyPages)): void {
    if (this.#loaded - this.dirtyPages <= limit) return;
    this.#drop(this.#root);
    this.#round++;
    if (this.#loaded - this.dirtyPages > limit) this.#drop(this.#root);
  }

  #drop(page: Page): void {
    for (let i = 0; i < page.children.length; i++) {
      const child = page.children[i];
      if (!child) continue;
      if (child.level > 0) this.#drop(child);
      else if (!child.dirty && child.touched < this.#round) {
        page.children[i] = undefined;
        this.#memories.retire(child.memory);
        this.#loaded--;
      }
    }
  }
}
