/**
 * Renews the lock files of Debian packages: `node tools/setup/relock.ts [FILE …]`. The newest versions that the
 * archive has of the listed packages are written, for every architecture that Ensconce runs on.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { privateApt, type Apt } from './apt.ts';
import { parseDebianLock, readDebianLock, type LockedPackage } from './debian-lock.ts';
import { lockFiles } from './lock-files.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const cacheFolder = join(root, '.cache');
const architectures = ['amd64', 'arm64'];

/** Reads a line of `apt-get download --print-uris`: 'URI' FILE SIZE SHA256:HASH. */
function parseUri(line: string, name: string): LockedPackage {
  const match = /^'[^']+' ([^ _]+)_([^ _]+)_([^ _]+)\.deb \d+ SHA256:([0-9a-f]{64})$/.exec(line);
  const [, found, version, architecture, sha256] = match ?? [];
  if (found !== name || version === undefined || architecture === undefined || sha256 === undefined)
    throw new Error(`apt-get --print-uris: a .deb of ${name} with its SHA-256 expected, ${line} found`);
  return { name, version: decodeURIComponent(version), architecture, sha256 };
}

async function newest(apt: Apt, names: readonly string[]): Promise<LockedPackage[]> {
  const lines = (await apt.run(['download', '--print-uris', ...names], cacheFolder)).split('\n');
  return names.map((name) => {
    const line = lines.find((candidate) => candidate.includes(`' ${name}_`));
    return parseUri(line ?? 'nothing', name);
  });
}

mkdirSync(cacheFolder, { recursive: true });
const files = process.argv.length > 2 ? process.argv.slice(2) : lockFiles.map((file) => join(root, file));
const apts = await Promise.all(
  architectures.map(async (name) => ({ name, apt: await privateApt(cacheFolder, name) })),
);
for (const file of files) {
  const { suite, packages } = readDebianLock(file);
  const locked: Record<string, LockedPackage[]> = {};
  for (const { name, apt } of apts) locked[name] = await newest(apt, packages);
  const json = `${JSON.stringify({ suite, packages, locked }, undefined, 2)}\n`;
  parseDebianLock(json, file);
  writeFileSync(file, json);
  process.stdout.write(`relock: ${relative(root, file)}: ${packages.length} packages\n`);
}
