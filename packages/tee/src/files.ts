import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

/** The file operations that the kernel's interfaces take. Each write is one system call: configfs takes no partial ones. */
export interface KernelFiles {
  mkdir(path: string): void;
  rmdir(path: string): void;
  read(path: string): Uint8Array;
  write(path: string, data: Uint8Array): void;
}

export const kernelFiles: KernelFiles = {
  mkdir: (path) => {
    mkdirSync(path);
  },
  rmdir: (path) => {
    rmdirSync(path);
  },
  read: (path) => readFileSync(path),
  write: (path, data) => {
    writeFileSync(path, data, { flag: 'r+' });
  },
};

/** The name of a system error (`EBUSY`), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
