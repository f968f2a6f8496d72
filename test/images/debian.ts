/** Debian packages as the entries of an image layer, as debootstrap would lay them out: merged /usr, no manuals. */
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { fetchDebianPackages, packageTar, type FetchedPackage } from '../../tools/setup/debian-archive.ts';
import { readDebianLock } from '../../tools/setup/debian-lock.ts';
import { cacheFolder, here, repository } from './places.ts';
import { readTar, tarEntry, type TarEntry } from './tar.ts';

let fetched: Promise<Map<string, FetchedPackage>> | undefined;

async function fetchAll(): Promise<Map<string, FetchedPackage>> {
  const locks = [join(here, 'debian.lock.json'), join(repository, 'services/runtime/layer/debian.lock.json')];
  const all = new Map<string, FetchedPackage>();
  for (const path of locks) {
    for (const found of await fetchDebianPackages(readDebianLock(path), { cacheFolder }))
      all.set(found.name, found);
  }
  return all;
}

/** The package files with these names, fetched once. */
export async function debianPackages(names: readonly string[]): Promise<FetchedPackage[]> {
  fetched ??= fetchAll();
  const all = await fetched;
  return names.map((name) => {
    const found = all.get(name);
    if (found === undefined)
      throw new Error(`test images: ${name} expected in test/images/debian.lock.json, not found`);
    return found;
  });
}

const merged = /^(bin|sbin|lib|lib32|lib64|libx32)(?=\/|$)/;
const leftOut =
  /^usr\/share\/(?:man|info|lintian|locale|doc-base|bug|menu)(?:\/|$)|^usr\/share\/doc\/(?!.*copyright$)/;

/** The entries of the packages, sorted by path, each once; `mergedUsr` adds the links /bin → usr/bin and so on. */
export async function packageEntries(names: readonly string[]): Promise<Map<string, TarEntry>> {
  const entries = new Map<string, TarEntry>();
  for (const fetchedPackage of await debianPackages(names)) {
    for (const entry of readTar(await packageTar(fetchedPackage))) {
      const plain = entry.name.toString('latin1');
      const name = plain.replace(merged, 'usr/$1');
      if (name === '' || leftOut.test(name)) continue;
      if (entry.type === 'directory' && entries.has(name)) continue;
      const link =
        entry.type === 'hardlink'
          ? Buffer.from(entry.link.toString('latin1').replace(merged, 'usr/$1'), 'latin1')
          : entry.link;
      entries.set(name, { ...entry, name: Buffer.from(name, 'latin1'), link });
    }
  }
  return entries;
}

/** The entries that make a merged /usr, for the lowest layer. */
export function mergedUsr(): TarEntry[] {
  return ['bin', 'lib', 'lib64', 'sbin'].flatMap((name) => [
    tarEntry({ name: `usr/${name}`, type: 'directory' }),
    tarEntry({ name, type: 'symlink', link: `usr/${name}` }),
  ]);
}

/** Adds or replaces entries. */
export function withEntries(
  entries: Map<string, TarEntry>,
  added: readonly TarEntry[],
): Map<string, TarEntry> {
  for (const entry of added) entries.set(entry.name.toString('latin1'), entry);
  return entries;
}

/** In the order of paths, so that a directory comes before what it holds; hard links come last, after what they name. */
export function sorted(entries: ReadonlyMap<string, TarEntry>): TarEntry[] {
  const rank = (entry: TarEntry): number => (entry.type === 'hardlink' ? 1 : 0);
  return [...entries.values()].sort((a, b) => rank(a) - rank(b) || Buffer.compare(a.name, b.name));
}

/** One file of a package. */
export async function packageFile(packageName: string, path: string): Promise<Buffer> {
  const [found] = await debianPackages([packageName]);
  const entry = readTar(await packageTar(found as FetchedPackage)).find(
    (candidate) => candidate.name.toString('latin1') === path,
  );
  if (entry === undefined) throw new Error(`${packageName}: ${path} expected in the package, not found`);
  return entry.body;
}
