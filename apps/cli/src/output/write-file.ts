import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';

/** Writes a file, whole or not at all; sessions may hold secrets, so its owner alone can read it. */
export function writeWhole(file: string, data: string | Uint8Array): void {
  const temporary = `${file}.${process.pid}.new`;
  try {
    try {
      writeFileSync(temporary, data, { mode: 0o600, flag: 'wx', flush: true });
      renameSync(temporary, file);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a writable place expected`, { cause });
  }
}

/** Writes text to a file, or to standard output where none is named. */
export function writeOutput(io: Io, file: string | undefined, text: string): void {
  if (file === undefined) io.stdout(text);
  else writeWhole(file, text);
}
