import { VolumeError } from './errors.ts';
import { longestKey, longestValue } from './page.ts';

/** One change of the tree, or of the number of live bytes of a segment. */
export type Operation =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array }
  | { readonly kind: 'usage'; readonly segment: number; readonly live: number };

const put = 1;
const remove = 2;
const usage = 3;
const usageSize = 9;

/** Changes as they are made, in frames of at most `capacity` bytes (docs/formats/volume.md, "Journal"). */
export class JournalWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #full: (batch: Uint8Array) => void;
  #used = 0;
  /** Start of the last put, so that a later one with the same key and size takes its place. */
  #last = -1;

  /** `full` takes a batch when the next change does not fit; the bytes are reused after it returns. */
  constructor(capacity: number, full: (batch: Uint8Array) => void) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#full = full;
  }

  get empty(): boolean {
    return this.#used === 0;
  }

  /** Gives what has been collected to `full`. If that throws, nothing is lost. */
  flush(): void {
    if (this.#used === 0) return;
    this.#full(this.#bytes.subarray(0, this.#used));
    this.clear();
  }

  clear(): void {
    this.#used = 0;
    this.#last = -1;
  }

  #room(size: number): number {
    if (this.#used + size > this.#bytes.length) this.flush();
    const at = this.#used;
    this.#used += size;
    return at;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const bytes = this.#bytes;
    if (this.#last >= 0 && this.#sameKey(this.#last, key, value.length)) {
      bytes.set(value, this.#last + 4 + key.length);
      return;
    }
    const at = this.#room(4 + key.length + value.length);
    bytes[at] = put;
    bytes[at + 1] = key.length;
    this.#view.setUint16(at + 2, value.length, true);
    bytes.set(key, at + 4);
    bytes.set(value, at + 4 + key.length);
    this.#last = at;
  }

  #sameKey(at: number, key: Uint8Array, valueLength: number): boolean {
    const bytes = this.#bytes;
    if (bytes[at + 1] !== key.length || this.#view.getUint16(at + 2, true) !== valueLength) return false;
    for (let i = 0; i < key.length; i++) if (bytes[at + 4 + i] !== key[i]) return false;
    return true;
  }

  delete(key: Uint8Array): void {
    const at = this.#room(2 + key.length);
    this.#bytes[at] = remove;
    this.#bytes[at + 1] = key.length;
    this.#bytes.set(key, at + 2);
    this.#last = -1;
  }

  usage(segment: number, live: number): void {
    const at = this.#room(usageSize);
    this.#bytes[at] = usage;
    this.#view.setUint32(at + 1, segment, true);
    this.#view.setUint32(at + 5, live, true);
    this.#last = -1;
  }
}

/** Reads a batch. It is authentic, but every length in it is checked all the same. */
export function readJournal(batch: Uint8Array, visit: (operation: Operation) => void): void {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  let at = 0;
  const need = (size: number): void => {
    if (at + size > batch.length)
      throw new VolumeError(
        'VOLUME_DAMAGED',
        `journal: ${size} bytes expected at ${at}, ${batch.length - at} found`,
      );
  };
  while (at < batch.length) {
    const kind = batch[at];
    need(2);
    const keyLength = batch[at + 1] as number;
    if (kind === put) {
      need(4);
      const valueLength = view.getUint16(at + 2, true);
      need(4 + keyLength + valueLength);
      if (keyLength === 0 || keyLength > longestKey || valueLength > longestValue)
        throw new VolumeError('VOLUME_DAMAGED', `journal: an entry that fits a page expected at ${at}`);
      const key = batch.subarray(at + 4, at + 4 + keyLength);
      at += 4 + keyLength;
      visit({ kind: 'put', key, value: batch.subarray(at, at + valueLength) });
      at += valueLength;
    } else if (kind === remove) {
      need(2 + keyLength);
      visit({ kind: 'delete', key: batch.subarray(at + 2, at + 2 + keyLength) });
      at += 2 + keyLength;
    } else if (kind === usage) {
      need(usageSize);
      visit({ kind: 'usage', segment: view.getUint32(at + 1, true), live: view.getUint32(at + 5, true) });
      at += usageSize;
    } else {
      throw new VolumeError('VOLUME_DAMAGED', `journal: change 1, 2 or 3 expected at ${at}, ${kind} found`);
    }
  }
}
