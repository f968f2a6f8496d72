import { Buffer } from 'node:buffer';

/** Zero runs are looked for in blocks of so many bytes, counted from the start of the file. */
export const holeBlock = 4096;
/** Shorter runs are stored: zstd makes nothing of them, and every hole costs an extent. */
export const minimumHole = 16_384;

const zeroBlock = Buffer.alloc(holeBlock);

function isZeroBlock(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0 || bytes[at + holeBlock - 1] !== 0) return false;
  return zeroBlock.equals(bytes.subarray(at, at + holeBlock));
}

/**
 * Splits the contents of one file into stored bytes and holes. The result does not depend on how the contents were
 * cut into pieces, so the same file is always sealed to the same bytes.
 */
export class FileStream {
  readonly #append: (bytes: Uint8Array) => Promise<void> | undefined;
  readonly #block = Buffer.alloc(holeBlock);
  #blockLength = 0;
  #zeros = 0;
  #position: number;
  /** Bytes of the file so far. */
  size = 0;
  /** Pairs of file offset and stream position where a stored piece starts; the last pair ends the file. */
  readonly extents: number[] = [];
  #holes = false;
  #inPiece = false;

  /** @param position where in the stream of the layer the file's bytes start */
  constructor(position: number, append: (bytes: Uint8Array) => Promise<void> | undefined) {
    this.#position = position;
    this.#append = append;
  }

  async #store(bytes: Uint8Array, fileOffset: number): Promise<void> {
    if (!this.#inPiece) {
      this.extents.push(fileOffset, this.#position);
      this.#inPiece = true;
    }
    this.#position += bytes.length;
    await this.#append(bytes);
  }

  /** Settles the run of zeros that ends at `fileOffset`. */
  async #endZeros(fileOffset: number): Promise<void> {
    const zeros = this.#zeros;
    if (zeros === 0) return;
    this.#zeros = 0;
    if (zeros >= minimumHole) {
      this.#holes = true;
      this.#inPiece = false;
      return;
    }
    for (let done = 0; done < zeros; done += holeBlock)
      await this.#store(zeroBlock, fileOffset - zeros + done);
  }

  /** Whole blocks only. */
  async #blocks(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      if (isZeroBlock(bytes, at)) {
        this.#zeros += holeBlock;
        this.size += holeBlock;
        at += holeBlock;
        continue;
      }
      const start = at;
      while (at < bytes.length && !isZeroBlock(bytes, at)) at += holeBlock;
      await this.#endZeros(this.size);
      await this.#store(bytes.subarray(start, at), this.size);
      this.size += at - start;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    if (this.#blockLength > 0) {
      at = Math.min(bytes.length, holeBlock - this.#blockLength);
      this.#block.set(bytes.subarray(0, at), this.#blockLength);
      this.#blockLength += at;
      if (this.#blockLength < holeBlock) return;
      this.#blockLength = 0;
      await this.#blocks(this.#block);
    }
    const whole = at + Math.floor((bytes.length - at) / holeBlock) * holeBlock;
    if (whole > at) await this.#blocks(bytes.subarray(at, whole));
    if (whole < bytes.length) {
      this.#block.set(bytes.subarray(whole), 0);
      this.#blockLength = bytes.length - whole;
    }
  }

  /** `length` zeros that an archive lists as a hole. */
  async hole(length: number): Promise<void> {
    let left = length;
    if (this.#blockLength > 0) {
      const fill = Math.min(left, holeBlock - this.#blockLength);
      await this.write(zeroBlock.subarray(0, fill));
      left -= fill;
    }
    const whole = Math.floor(left / holeBlock) * holeBlock;
    this.#zeros += whole;
    this.size += whole;
    if (left > whole) await this.write(zeroBlock.subarray(0, left - whole));
  }

  /** The end of the file; `extents` is `undefined` where there are no holes. */
  async end(): Promise<{ size: number; extents: number[] | undefined }> {
    await this.#endZeros(this.size);
    if (this.#blockLength > 0) {
      await this.#store(this.#block.subarray(0, this.#blockLength), this.size);
      this.size += this.#blockLength;
    }
    if (!this.#holes) return { size: this.size, extents: undefined };
    this.extents.push(this.size, this.#position);
    return { size: this.size, extents: this.extents };
  }
}
