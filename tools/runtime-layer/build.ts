/**
 * Builds the runtime layer: the folder /.ensconce/runtime with Node, its libraries and loader, the launcher and the
 * bundled runtime, as one OCI layer that all confidential images share. Every input is pinned by hash (package-lock.json,
 * debian.lock.json), nothing comes from this system, and the same inputs give the same bytes.
 *
 * Usage: node tools/runtime-layer/build.ts   →   .cache/runtime/current.json
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { pack } from 'tar-stream';
import { readManifest } from '@ensconce/measurement/folder';
import { manifestDigest } from '@ensconce/measurement/manifest';
import { fetchDebianPackages, unpackPackages } from '../setup/debian-archive.ts';
import { readDebianLock } from '../setup/debian-lock.ts';
import { withoutSections } from './elf.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const cache = join(root, '.cache');
const runtime = join(root, 'services', 'runtime');

/** What `ensconce image` needs to know of a built runtime layer. */
export interface RuntimeLayer {
  readonly architecture: 'amd64' | 'arm64';
  /** Digest of the canonical manifest of the folder. */
  readonly runtimeDigest: string;
  readonly released: boolean;
  readonly layer: {
    readonly path: string;
    readonly mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip';
    readonly digest: string;
    readonly diffId: string;
    readonly size: number;
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Libraries that Node and the addon need, by the name under which the loader looks for them. */
const libraries = [
  'libatomic.so.1',
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
];
const emptyFolders = ['host', 'proc', 'dev', 'run', 'tmp', 'sys'];

const platforms = {
  x64: { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2', architecture: 'amd64' },
} as const;

function install(from: Buffer | string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  if (typeof from === 'string') copyFileSync(from, to);
  else writeFileSync(to, from);
  chmodSync(to, mode);
}

async function bundle(folder: string): Promise<void> {
  await build({
    entryPoints: {
      runtime: join(runtime, 'src', 'main.ts'),
      'layer-worker': join(runtime, 'src', 'layer-worker.ts'),
      'volume-worker': join(runtime, 'src', 'volume-worker.ts'),
    },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    minify: true,
    keepNames: false,
    legalComments: 'none',
    absWorkingDir: root,
    logLevel: 'error',
  });
  for (const name of ['runtime.mjs', 'layer-worker.mjs', 'volume-worker.mjs'])
    chmodSync(join(folder, name), 0o444);
}

function compileLauncher(tools: string, folder: string): void {
  const tcc = join(tools, 'usr', 'bin', 'tcc');
  const library = join(tools, 'usr', 'lib', 'x86_64-linux-gnu', 'tcc');
  for (const name of ['launch', 'init']) {
    const output = join(folder, 'bin', name);
    execFileSync(
      tcc,
      ['-B', library, '-nostdlib', '-static', '-o', output, join(runtime, 'launch', `${name}.c`)],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: {},
      },
    );
    chmodSync(output, 0o555);
  }
}

/** Every file below `folder` as a tar with owner 0, time 0 and sorted names, below /.ensconce/runtime. */
async function tarOf(folder: string): Promise<Buffer> {
  const archive = pack();
  const chunks: Buffer[] = [];
  archive.on('data', (chunk: unknown) => chunks.push(chunk as Buffer));
  const done = new Promise<void>((resolve, reject) => {
    archive.on('end', resolve);
    archive.on('error', reject);
  });
  const common = { uid: 0, gid: 0, mtime: new Date(0) };
  for (const name of ['.ensconce/', '.ensconce/runtime/'])
    archive.entry({ name, type: 'directory', mode: 0o755, ...common });
  const entries = readManifest(folder).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  for (const entry of entries) {
    const name = `.ensconce/runtime/${entry.path}`;
    if (entry.type === 'directory')
      archive.entry({ name: `${name}/`, type: 'directory', mode: entry.mode, ...common });
    else if (entry.type === 'symlink')
      archive.entry({ name, type: 'symlink', linkname: entry.target, ...common });
    else archive.entry({ name, mode: entry.mode, ...common }, readFileSync(join(folder, entry.path)));
  }
  archive.finalize();
  await done;
  return Buffer.concat(chunks);
}

async function assemble(folder: string): Promise<boolean> {
  const platform = process.arch === 'x64' ? platforms.x64 : undefined;
  if (platform === undefined)
    throw new Error(`runtime layer: x64 expected, ${process.arch} found; the launcher has no other port yet`);
  const packages = await fetchDebianPackages(
    readDebianLock(join(root, 'services', 'runtime', 'layer', 'debian.lock.json')),
    {
      cacheFolder: cache,
    },
  );
  const inputs = mkdtempSync(join(cache, 'runtime-inputs-'));
  try {
    await unpackPackages(packages, inputs);
    const system = join(inputs, 'lib', platform.triplet);
    for (const name of libraries) {
      const candidates = [join(system, name), join(inputs, 'usr', 'lib', platform.triplet, name)];
      const found = candidates.find((path) => existsSync(path));
      if (found === undefined)
        throw new Error(`runtime layer: ${name} expected in the locked Debian packages, it is not there`);
      install(
        withoutSections(readFileSync(realpathSync(found))),
        join(folder, 'lib', platform.triplet, name),
        0o444,
      );
    }
    install(realpathSync(join(system, platform.loader)), join(folder, 'lib64', platform.loader), 0o555);
    const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
    install(withoutSections(readFileSync(node)), join(folder, 'bin', 'node'), 0o555);
    const addon = join(
      root,
      'node_modules',
      '@koromix',
      `koffi-linux-${process.arch}`,
      `linux_${process.arch}`,
      'koffi.node',
    );
    install(withoutSections(readFileSync(addon)), join(folder, 'lib', 'koffi.node'), 0o444);
    install(
      Buffer.from("module.exports = require('/lib/koffi.node');\n"),
      join(folder, 'node_modules', 'koffi', 'index.js'),
      0o444,
    );
    compileLauncher(inputs, folder);
    await bundle(folder);
    for (const name of emptyFolders) mkdirSync(join(folder, name), { mode: 0o755 });
    for (const entry of readManifest(folder))
      if (entry.type === 'directory') chmodSync(join(folder, entry.path), 0o755);
  } finally {
    rmSync(inputs, { recursive: true, force: true });
  }
  return packages.every((entry) => entry.released);
}

/** Builds the layer unless the same one is there already; prints what it is. */
export async function buildRuntimeLayer(): Promise<RuntimeLayer> {
  const output = join(cache, 'runtime');
  mkdirSync(output, { recursive: true });
  const work = mkdtempSync(join(output, 'work-'));
  try {
    const folder = join(work, 'root');
    mkdirSync(folder, { mode: 0o755 });
    const released = await assemble(folder);
    const runtimeDigest = manifestDigest(readManifest(folder));
    const final = join(output, runtimeDigest);
    const description = join(final, 'layer.json');
    if (!existsSync(description)) {
      const tar = await tarOf(folder);
      const blob = gzipSync(tar, { level: 6 });
      writeFileSync(join(work, 'layer.tar.gz'), blob);
      const layer: RuntimeLayer = {
        architecture: platforms.x64.architecture,
        runtimeDigest,
        released,
        layer: {
          path: join(final, 'layer.tar.gz'),
          mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
          digest: `sha256:${sha256(blob)}`,
          diffId: `sha256:${sha256(tar)}`,
          size: blob.length,
        },
      };
      writeFileSync(join(work, 'layer.json'), `${JSON.stringify(layer, undefined, 2)}\n`);
      rmSync(final, { recursive: true, force: true });
      renameSync(work, final);
    }
    const current = join(output, 'current.json');
    const next = join(output, `current.${process.pid}.new`);
    copyFileSync(description, next);
    renameSync(next, current);
    // Earlier layers go; what another build at the same time works on stays.
    for (const name of readdirSync(output)) {
      if (name !== runtimeDigest && /^[0-9a-f]{64}$/.test(name))
        rmSync(join(output, name), { recursive: true, force: true });
    }
    return JSON.parse(readFileSync(current, 'utf8')) as RuntimeLayer;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const layer = await buildRuntimeLayer();
  console.log(`runtime ${layer.runtimeDigest}`);
  console.log(
    `layer   ${layer.layer.digest} ${layer.layer.size} bytes${layer.released ? '' : ' (development build)'}`,
  );
}
