/**
 * Fetches the package files that a lock file names from the Debian archive, without installing them.
 *
 * Debian removes old versions from its archive. A locked version that is gone is replaced by the newest one, whose
 * hash apt verifies against the signed package lists, and `report` says loudly that the result is not the released one.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { privateApt, systemApt, type Apt } from './apt.ts';
import { debianArchitecture, type DebianLock, type LockedPackage } from './debian-lock.ts';

const execute = promisify(execFile);

/** A package file on this machine. */
export interface FetchedPackage extends LockedPackage {
  readonly path: string;
  /** False if the locked version was not to be had and another one stands in for it. */
  readonly released: boolean;
}

export interface FetchOptions {
  /** The folder that keeps fetched files, usually `.cache` of the repository. */
  readonly cacheFolder: string;
  /** Debian's name of the architecture; this machine's if absent. */
  readonly architecture?: string;
  /** Takes one line for people: progress and warnings. */
  readonly report?: (line: string) => void;
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Splits `name_version_architecture.deb`, where apt writes the colon of an epoch as %3a. */
function parseFileName(file: string): { name: string; version: string; architecture: string } {
  const [name, version, architecture] = basename(file, '.deb').split('_');
  if (name === undefined || version === undefined || architecture === undefined)
    throw new Error(`package file: name_version_architecture.deb expected, ${file} found`);
  return { name, version: decodeURIComponent(version), architecture };
}

async function download(apt: Apt, specifications: readonly string[], debs: string): Promise<string[]> {
  const folder = mkdtempSync(join(debs, 'fetch-'));
  try {
    await apt.run(['download', ...specifications], folder);
    return readdirSync(folder)
      .filter((file) => file.endsWith('.deb'))
      .map((file) => {
        const from = join(folder, file);
        const to = join(debs, `${sha256(from)}-${file}`);
        renameSync(from, to);
        return to;
      });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function cached(debs: string, entry: LockedPackage): FetchedPackage | undefined {
  const file = readdirSync(debs).find((name) => name.startsWith(`${entry.sha256}-`));
  if (file === undefined) return undefined;
  const path = join(debs, file);
  if (sha256(path) !== entry.sha256) {
    rmSync(path);
    return undefined;
  }
  return { ...entry, path, released: true };
}

/** Where the stand-in of a locked version that is gone is remembered, so that no second attempt is made for it. */
function substitutePath(debs: string, architecture: string, name: string, version: string): string {
  return join(debs, `instead-of-${name}_${encodeURIComponent(version)}_${architecture}`);
}

function substituted(note: string, debs: string): FetchedPackage | undefined {
  if (!existsSync(note)) return undefined;
  const path = join(debs, readFileSync(note, 'utf8'));
  if (!existsSync(path)) return undefined;
  const [hash, ...rest] = basename(path).split('-');
  if (hash === undefined || sha256(path) !== hash) return undefined;
  return { ...parseFileName(rest.join('-')), sha256: hash, path, released: false };
}

/** The files of all packages of `lock` for one architecture, in its order; nothing is fetched that is there already. */
export async function fetchDebianPackages(
  lock: DebianLock,
  options: FetchOptions,
): Promise<FetchedPackage[]> {
  const architecture = options.architecture ?? debianArchitecture();
  const report = options.report ?? ((line: string) => process.stderr.write(`${line}\n`));
  const debs = join(options.cacheFolder, 'debs');
  mkdirSync(debs, { recursive: true });

  const wanted: readonly (LockedPackage | { readonly name: string })[] =
    lock.locked[architecture] ?? lock.packages.map((name) => ({ name }));
  const results = new Map<string, FetchedPackage>();
  const note = (entry: { name: string; version?: string }): string =>
    substitutePath(debs, architecture, entry.name, entry.version ?? 'any');
  const lookUp = (): (typeof wanted)[number][] =>
    wanted.filter((entry) => {
      const found = ('sha256' in entry ? cached(debs, entry) : undefined) ?? substituted(note(entry), debs);
      if (found !== undefined) results.set(entry.name, found);
      return found === undefined;
    });

  let missing = lookUp();
  if (missing.length > 0) {
    report(
      `debian: fetching ${missing.length} of ${wanted.length} packages (${lock.suite}, ${architecture})`,
    );
    const locked = missing.filter((entry) => 'version' in entry);
    try {
      if (architecture !== debianArchitecture() || locked.length < missing.length)
        throw new Error('own lists needed');
      const specifications = locked.map((entry) => `${entry.name}=${entry.version}`);
      await download(systemApt(), specifications, debs);
    } catch {
      const apt = await privateApt(options.cacheFolder, architecture);
      for (const entry of lookUp()) await fetchOne(apt, entry, debs, note(entry));
    }
    missing = lookUp();
  }
  for (const entry of missing) {
    const hash = 'sha256' in entry ? entry.sha256 : 'any';
    throw new Error(
      `debian: ${entry.name} with SHA-256 ${hash} expected from the archive, another file found`,
    );
  }
  const others = [...results.values()].filter((found) => !found.released);
  if (others.length > 0) {
    const names = others.map((found) => `${found.name} ${found.version}`).join(', ');
    report(
      `debian: WARNING: development build, not the released one: the archive lacks locked versions, used instead: ${names}`,
    );
    report(`debian: to look for the locked versions again, remove ${debs}`);
  }
  return wanted.map((entry) => results.get(entry.name) as FetchedPackage);
}

async function fetchOne(
  apt: Apt,
  entry: LockedPackage | { readonly name: string },
  debs: string,
  note: string,
): Promise<void> {
  if ('version' in entry) {
    try {
      await download(apt, [`${entry.name}=${entry.version}`], debs);
      return;
    } catch (error) {
      if (!/was not found/.test(error instanceof Error ? error.message : '')) throw error;
    }
  }
  const [path] = await download(apt, [entry.name], debs);
  if (path === undefined)
    throw new Error(`debian: apt-get download ${entry.name}: one file expected, none found`);
  writeFileSync(note, basename(path));
}

/** The file system archive of a package: an uncompressed tar with owners and modes. */
export async function packageTar(fetched: FetchedPackage): Promise<Buffer> {
  const { stdout } = await execute('dpkg-deb', ['--fsys-tarfile', fetched.path], {
    encoding: 'buffer',
    maxBuffer: 1 << 30,
  });
  return stdout;
}

/** Unpacks packages into one folder, which is made; their maintainer scripts do not run. */
export async function unpackPackages(packages: readonly FetchedPackage[], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const fetched of packages) await execute('dpkg-deb', ['-x', fetched.path, folder]);
}
