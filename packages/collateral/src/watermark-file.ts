import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { CollateralError } from './errors.ts';
import { emptyBook, watermarkBook, type WatermarkBook, type WatermarkStore } from './watermarks.ts';

/** Bytes. */
const sizeLimit = 1024 * 1024;

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Reads the file's bytes, which whoever can write the disk controls. Damage is an error, never an empty book: that would forget what was seen. */
export function parseWatermarks(bytes: Uint8Array, path: string): WatermarkBook {
  try {
    return v.parse(watermarkBook, parseJson(bytes, path, sizeLimit));
  } catch (cause) {
    throw new CollateralError(
      'COLLATERAL_DISK',
      `${path}: what was seen of collateral so far expected, something else found`,
      { cause, hint: 'restore the file; to forget what was seen, remove it' },
    );
  }
}

/** Keeps watermarks in one file, which is replaced as a whole. It protects as far as nobody else may write the file. */
export class WatermarkFile implements WatermarkStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  read(): WatermarkBook {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(this.#path);
    } catch (cause) {
      if (isMissing(cause)) return emptyBook;
      throw new CollateralError('COLLATERAL_DISK', `${this.#path}: a readable file expected`, { cause });
    }
    return parseWatermarks(bytes, this.#path);
  }

  // Reads and replaces without a pause between; of two processes in the same instant one may forget what it saw, until it sees it again.
  update(change: (before: WatermarkBook) => WatermarkBook): Promise<void> {
    const text = `${JSON.stringify(change(this.read()))}\n`;
    const temporary = `${this.#path}.${randomBytes(6).toString('hex')}`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
      const file = openSync(temporary, 'wx', 0o600);
      try {
        writeSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, this.#path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw new CollateralError('COLLATERAL_DISK', `${this.#path}: a file that can be written expected`, {
        cause,
      });
    }
    return Promise.resolve();
  }
}
