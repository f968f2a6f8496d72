/** The runtime layer under test, built from the sources as they are, and its unpacked form that all test files share. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackLayer } from '@ensconce/bundle/unpack';
import { cacheFolder, repository } from '../images/places.ts';
import { run } from './processes.ts';

export interface RuntimeLayerFile {
  readonly runtimeDigest: string;
  readonly layer: {
    readonly path: string;
    readonly mediaType: string;
    readonly digest: string;
  };
}

export const runtimeLayerDescription = join(repository, '.cache', 'runtime', 'current.json');

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** A hash over everything that the layer is made from. */
function inputs(): string {
  const hash = createHash('sha256');
  const folders = ['packages', 'services/runtime', 'tools/runtime-layer', 'tools/setup'];
  const files = folders.flatMap((folder) => filesBelow(join(repository, folder))).sort();
  for (const file of [...files, join(repository, 'package-lock.json')])
    hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

/** Builds the layer unless these sources' is there; one builder at a time, because it tidies up after older ones. */
export async function buildRuntime(): Promise<RuntimeLayerFile> {
  mkdirSync(cacheFolder, { recursive: true });
  const builder = join(repository, 'tools', 'runtime-layer', 'build.ts');
  const stamp = join(repository, '.cache', 'runtime.inputs');
  const wanted = inputs();
  const read = (): RuntimeLayerFile =>
    JSON.parse(readFileSync(runtimeLayerDescription, 'utf8')) as RuntimeLayerFile;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(runtimeLayerDescription)) {
    const built = read();
    if (existsSync(built.layer.path)) return built;
  }
  const built = await run('flock', [join(cacheFolder, 'runtime.lock'), process.execPath, builder], {
    timeout: 180_000,
  });
  if (built.status !== 0) throw new Error(`runtime layer: a build expected, it failed:\n${built.errors}`);
  writeFileSync(stamp, wanted);
  return read();
}

/** The layer's files, unpacked once for all test files; folders of older layers go. */
export async function unpackedRuntime(built: RuntimeLayerFile): Promise<string> {
  const cache = join(cacheFolder, 'unpacked');
  const final = await unpackLayer(built.layer, cache, new AbortController().signal);
  for (const name of readdirSync(cache)) {
    const own = join(cache, name);
    if (own !== final && !name.startsWith('work-')) rmSync(own, { recursive: true, force: true });
  }
  return final;
}
