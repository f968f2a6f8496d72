import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CasError } from '../errors.ts';

/** Keeps the database key where only this CAS can get it again. */
export interface KeySealer {
  /** What protects the key, for the log. */
  readonly name: string;
  /** True where whoever reads the disk has the key. */
  readonly insecure: boolean;
  /** The key sealed earlier, or undefined where none was. */
  unseal(): Uint8Array | undefined;
  seal(key: Uint8Array): void;
}

/** Writes a small file so that after a crash it is there whole or not at all. */
export function writeFileDurably(path: string, data: Uint8Array, mode: number): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', mode);
  try {
    chmodSync(temporary, mode);
    writeSync(file, data);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Makes the names in a folder durable. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** The name says what it is: a key that nothing seals, beside the data it is to protect. */
export const insecureKeyFileName = 'insecure-unsealed-database.key';

/** For simulation and development: the database key as a file of mode 0600 in the folder of the database. */
export function insecureKeyFile(folder: string): KeySealer {
  const path = join(folder, insecureKeyFileName);
  return {
    name: `insecure: key file ${path}`,
    insecure: true,
    unseal() {
      let bytes: Buffer;
      try {
        bytes = readFileSync(path);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw new CasError('CAS_STATE_KEY', `database key: a readable file expected at ${path}`, { cause });
      }
      if (bytes.length !== 32) {
        throw new CasError(
          'CAS_STATE_KEY',
          `database key: 32 bytes expected in ${path}, ${bytes.length} found`,
        );
      }
      return bytes;
    },
    seal(key) {
      writeFileDurably(path, key, 0o600);
    },
  };
}
