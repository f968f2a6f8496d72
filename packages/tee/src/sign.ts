import { statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, interfaceError, readKernelFileStart } from './kernel-file.ts';

/** A file whose presence says that this process runs in a TEE, or that has a word among its processor flags. */
export interface Sign {
  /** Below the root. */
  readonly path: string;
  readonly flag?: string;
}

/** Bytes of `/proc/cpuinfo` that hold its first processor. */
const firstProcessor = 16_384;

function readFlags(path: string): string {
  try {
    return Buffer.from(readKernelFileStart(path, firstProcessor)).toString('latin1');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return '';
    throw interfaceError(path, 'a readable file', cause);
  }
}

/** Whether the sign is there. What cannot be found out is an error, never a no. */
export function isThere(root: string, sign: Sign): boolean {
  const path = join(root, '/', sign.path);
  if (sign.flag !== undefined) return readFlags(path).split(/\s+/).includes(sign.flag);
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    throw interfaceError(path, 'a file to look at', cause);
  }
}
