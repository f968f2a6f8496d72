/** Fetches the package files of all lock files into .cache, so that what follows needs no network. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchDebianPackages } from './debian-archive.ts';
import { readDebianLock } from './debian-lock.ts';
import { lockFiles } from './lock-files.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cacheFolder = process.env['ENSCONCE_CACHE'] ?? join(root, '.cache');

try {
  for (const file of lockFiles) {
    await fetchDebianPackages(readDebianLock(join(root, file)), {
      cacheFolder,
      report: (line) => process.stderr.write(`setup: ${line}\n`),
    });
  }
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.stderr.write('hint: is the Debian package archive reachable? `apt-get update` says so\n');
  process.exitCode = 2;
}
