/** Lock files of Debian packages: which files exactly a build takes from the Debian archive. */
import { readFileSync } from 'node:fs';

/** One package file of the archive. */
export interface LockedPackage {
  readonly name: string;
  /** Full Debian version, epoch included. */
  readonly version: string;
  /** Debian's name of the architecture, or `all`. */
  readonly architecture: string;
  /** SHA-256 of the .deb file, hexadecimal. */
  readonly sha256: string;
}

export interface DebianLock {
  /** Code name of the release the versions come from. */
  readonly suite: string;
  /** Names of the wanted packages; `relock.ts` renews `locked` from them. */
  readonly packages: readonly string[];
  /** For each architecture, one entry per name, in the same order. */
  readonly locked: Readonly<Record<string, readonly LockedPackage[]>>;
}

const namePattern = /^[a-z0-9][a-z0-9+.-]+$/;
const versionPattern = /^[0-9A-Za-z][0-9A-Za-z.+:~-]*$/;
const hashPattern = /^[0-9a-f]{64}$/;

function fail(path: string, expected: string, found: unknown): never {
  throw new Error(`${path}: ${expected} expected, ${JSON.stringify(found) ?? 'nothing'} found`);
}

function record(path: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(path, 'an object', value);
  return value as Record<string, unknown>;
}

function list(path: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) fail(path, 'a list', value);
  return value as unknown[];
}

function text(path: string, value: unknown, pattern: RegExp): string {
  if (typeof value !== 'string' || !pattern.test(value)) fail(path, `text like ${pattern.source}`, value);
  return value;
}

/** Reads and checks the text of a lock file; names and versions are safe to hand to apt as arguments. */
export function parseDebianLock(json: string, where = 'lock file'): DebianLock {
  const lock = record(where, JSON.parse(json));
  const packages = list(`${where}: packages`, lock['packages']).map((name) =>
    text(`${where}: packages`, name, namePattern),
  );
  const locked: Record<string, LockedPackage[]> = {};
  for (const [architecture, entries] of Object.entries(record(`${where}: locked`, lock['locked']))) {
    text(`${where}: locked`, architecture, namePattern);
    locked[architecture] = list(`${where}: ${architecture}`, entries).map((value) => {
      const entry = record(`${where}: ${architecture}`, value);
      const name = text(`${where}: name`, entry['name'], namePattern);
      return {
        name,
        version: text(`${where}: version of ${name}`, entry['version'], versionPattern),
        architecture: text(`${where}: architecture of ${name}`, entry['architecture'], namePattern),
        sha256: text(`${where}: sha256 of ${name}`, entry['sha256'], hashPattern),
      };
    });
    const names = (locked[architecture] ?? []).map((entry) => entry.name);
    if (names.join() !== packages.join())
      fail(`${where}: ${architecture}`, `the packages ${packages.join(' ')}`, names);
  }
  return { suite: text(`${where}: suite`, lock['suite'], namePattern), packages, locked };
}

export function readDebianLock(path: string): DebianLock {
  return parseDebianLock(readFileSync(path, 'utf8'), path);
}

/** Debian's name of a Node architecture. */
export function debianArchitecture(nodeArchitecture: string = process.arch): string {
  return nodeArchitecture === 'x64' ? 'amd64' : nodeArchitecture;
}
