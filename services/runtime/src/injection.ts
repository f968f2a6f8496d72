import { Buffer } from 'node:buffer';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { posix } from 'node:path';
import { EnsconceError } from '@ensconce/base/errors';
import { substituteSecretsInFile, type Lookup } from '@ensconce/policy/substitution';
import type { Configuration } from '@ensconce/wire/configuration';
import { RuntimeError } from './errors.ts';
import { resolveInRoot } from './in-root.ts';
import type { ApplicationUser } from './user.ts';

/** A file of the policy with everything put in. */
export interface InjectedFile {
  readonly path: string;
  readonly content: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
}

const largestTemplate = 16 * 1024 * 1024;

/**
 * The files that the policy injects. Call it while `root` holds the image alone: a template is the image's own file, never
 * one of the host's at the same path.
 *
 * @throws RuntimeError `CONFIGURATION`
 */
export function injectedFiles(
  root: string,
  configuration: Pick<Configuration, 'injectionFiles' | 'templateValues'>,
): readonly InjectedFile[] {
  const { injectionFiles, templateValues = {} } = configuration;
  const lookup: Lookup = ({ name, format }) => {
    const key = format === '' ? name : `${name}:${format}`;
    const value = Object.hasOwn(templateValues, key) ? templateValues[key] : undefined;
    return value === undefined ? undefined : Buffer.from(value, 'base64');
  };
  return injectionFiles.map(({ path, content, mode }) => ({
    path,
    mode: mode & 0o7777,
    content: content === undefined ? filledTemplate(root, path, lookup) : Buffer.from(content, 'base64'),
  }));
}

function filledTemplate(root: string, path: string, lookup: Lookup): Uint8Array {
  try {
    return substituteSecretsInFile(readTemplate(root, path), lookup);
  } catch (cause) {
    if (!(cause instanceof EnsconceError) || cause instanceof RuntimeError) throw cause;
    throw new RuntimeError('CONFIGURATION', `template ${path} of the image: it cannot be filled in`, {
      cause,
      hint: 'provide_secrets names the secrets that templates of the image may hold; if absent, all of the session',
    });
  }
}

function readTemplate(root: string, path: string): Uint8Array {
  const refused = (found: string, cause?: unknown): RuntimeError =>
    new RuntimeError(
      'CONFIGURATION',
      `template ${path}: a regular file of the image of at most ${largestTemplate} bytes expected, ${found} found`,
      { cause, hint: 'an injection file without content stands for a file of the image' },
    );
  let descriptor: number;
  try {
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
    descriptor = openSync(resolveInRoot(root, path), flags);
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    throw refused('none that can be read', cause);
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw refused('another kind');
    if (status.size > largestTemplate) throw refused(`one of ${status.size} bytes`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Writes a file below `root`, where links lead nowhere else; folders on the way are made. */
export function writeInRoot(root: string, file: InjectedFile): void {
  mkdirSync(resolveInRoot(root, posix.dirname(file.path)), { recursive: true, mode: 0o755 });
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;
  const descriptor = openSync(resolveInRoot(root, file.path), flags, file.mode);
  try {
    fchmodSync(descriptor, file.mode);
    let at = 0;
    while (at < file.content.length) at += writeSync(descriptor, file.content, at);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes a written file the application's: its permission bits are about the user that the application runs as.
 *
 * @throws RuntimeError `CONFIGURATION`
 */
export function giveTo(root: string, file: InjectedFile, user: Pick<ApplicationUser, 'uid' | 'gid'>): void {
  const descriptor = openSync(resolveInRoot(root, file.path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fchownSync(descriptor, user.uid, user.gid);
    // Changing the owner takes setuid and setgid away.
    fchmodSync(descriptor, file.mode);
  } catch (cause) {
    throw new RuntimeError(
      'CONFIGURATION',
      `${file.path}: a file of the policy that can be given to ${user.uid}:${user.gid} expected`,
      { cause, hint: 'the container needs CAP_CHOWN' },
    );
  } finally {
    closeSync(descriptor);
  }
}
