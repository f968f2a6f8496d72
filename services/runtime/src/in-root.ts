import { lstatSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { RuntimeError } from './errors.ts';

const maxLinks = 40;

/**
 * Where `path` of the application's root stands for the runtime: symbolic links are followed as if `root` were `/`, so
 * that a link in the image never leads out of it. Components that do not exist are kept. Safe against races because
 * nothing of the application runs yet.
 */
export function resolveInRoot(root: string, path: string): string {
  let pending = path.split('/').filter((part) => part !== '' && part !== '.');
  let resolved: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const [part, ...rest] = pending as [string, ...string[]];
    pending = rest;
    if (part === '..') {
      resolved = resolved.slice(0, -1);
      continue;
    }
    const candidate = posix.join(root, ...resolved, part);
    const link = lstatSync(candidate, { throwIfNoEntry: false })?.isSymbolicLink()
      ? readlinkSync(candidate)
      : undefined;
    if (link === undefined) {
      resolved.push(part);
      continue;
    }
    if (++links > maxLinks)
      throw new RuntimeError(
        'CONFIGURATION',
        `${path}: at most ${maxLinks} symbolic links expected on the way, more found`,
      );
    if (link.startsWith('/')) resolved = [];
    pending = [...link.split('/').filter((step) => step !== '' && step !== '.'), ...pending];
  }
  return posix.join(root, ...resolved);
}
