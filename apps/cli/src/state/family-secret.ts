import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { statePath } from './cli-state.ts';

const size = 32;

/**
 * The owner's image-family secret, from which the keys of sealed layers derive: kept by this command, made at first use,
 * or in a file that the caller names. Images of one family share the blobs of equal layers.
 */
export function familySecret(io: Io, file: string | undefined): Uint8Array {
  const path = file ?? join(dirname(statePath(io)), 'image-family.key');
  if (file === undefined && !existsSync(path)) makeSecret(io, path);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${path}: the image-family secret expected, it cannot be read`, { cause });
  }
  if (bytes.length !== size) {
    throw new CliError('CLI_FILE', `${path}: ${size} random bytes expected, ${bytes.length} bytes found`, {
      hint: `make one: head -c ${size} /dev/urandom > FILE`,
    });
  }
  return bytes;
}

/** Linking fails where another process was first, so that two of them never make two secrets. */
function makeSecret(io: Io, path: string): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(temporary, io.random(size), { mode: 0o600, flush: true });
      linkSync(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch (cause) {
    throw new CliError('CLI_STATE', `${path}: a writable place expected`, { cause });
  }
}
