import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { parseReference } from '../reference.ts';
import type { TransformOptions } from '../transform.ts';

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'ensconce-image-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface TarItem {
  readonly name: string;
  readonly type?: string;
  readonly body?: Uint8Array | string;
  readonly link?: string;
  readonly mode?: number;
}

/** A ustar archive; `type` is the type flag. */
export function tarOf(items: readonly TarItem[]): Buffer {
  const parts = items.flatMap(({ name, type = '0', body = '', link = '', mode = 0o644 }) => {
    const contents = Buffer.from(body);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100, 'latin1');
    header.write(mode.toString(8).padStart(7, '0'), 100);
    header.write('0000000', 108);
    header.write('0000000', 116);
    header.write(contents.length.toString(8).padStart(11, '0'), 124);
    header.write('00000000001', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(link, 157);
    header.write('ustar\u000000', 257, 'latin1');
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [header, contents, Buffer.alloc((512 - (contents.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
  return `${length}${rest}`;
}

export type Packing = 'gzip' | 'zstd' | 'none';
export interface MadeImage {
  readonly directory: string;
  /** Changes the bytes of a blob behind its digest. */
  damage(digest: string, change: (bytes: Buffer) => Buffer): void;
  readonly layers: readonly { digest: string; size: number; mediaType: string; diffId: string }[];
}

/** An OCI layout with one image, tag `app`. */
export function makeImage(
  directory: string,
  tars: readonly Uint8Array[],
  options: {
    config?: object;
    packing?: Packing;
    change?: (documents: { manifest: Record<string, unknown>; index: Record<string, unknown> }) => void;
    repack?: (packed: Buffer) => Buffer;
  } = {},
): MadeImage {
  const blobs = join(directory, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array) => {
    const digest = sha256(bytes);
    writeFileSync(join(blobs, digest.slice(7)), bytes);
    return { digest, size: bytes.length };
  };
  const { packing = 'gzip', repack = (bytes: Buffer) => bytes } = options;
  const pack = {
    gzip: gzipSync,
    zstd: (bytes: Uint8Array) => zstdCompressSync(bytes),
    none: (bytes: Uint8Array) => bytes,
  }[packing];
  const suffix = packing === 'none' ? '' : `+${packing}`;
  const layers = tars.map((tar) => ({
    mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
    ...put(repack(Buffer.from(pack(tar)))),
    diffId: sha256(tar),
  }));
  const config = put(
    Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Entrypoint: ['/bin/app'] },
        history: [{ created_by: 'marker-history' }],
        rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
        ...options.config,
      }),
    ),
  );
  const documents = {
    manifest: {
      schemaVersion: 2,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
      annotations: { note: 'marker-annotation' },
    },
    index: { schemaVersion: 2 } as Record<string, unknown>,
  };
  options.change?.(documents);
  documents.index['manifests'] ??= [
    {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...put(Buffer.from(JSON.stringify(documents.manifest))),
      annotations: { 'org.opencontainers.image.ref.name': 'app' },
    },
  ];
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(directory, 'index.json'), JSON.stringify(documents.index));
  return {
    directory,
    layers,
    damage: (digest, change) => {
      const path = join(blobs, digest.slice(7));
      writeFileSync(path, change(readFileSync(path)));
    },
  };
}

/** Options with a stand-in for the runtime's layer. */
export function transformOptions(scratch: string, from: string, to: string): TransformOptions {
  const tar = tarOf([{ name: '.ensconce/runtime/bin/launch', body: 'launcher' }]);
  const path = join(scratch, 'runtime.tar');
  writeFileSync(path, tar);
  return {
    from: parseReference(`oci:${from}`),
    to: parseReference(`oci:${to}`),
    runtime: {
      path,
      digest: sha256(tar),
      diffId: sha256(tar),
      size: tar.length,
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      runtimeDigest: 'a'.repeat(64),
      architecture: 'amd64',
    },
    casIdentity: 'b'.repeat(64),
    casSimulated: true,
    familySecret: new Uint8Array(32).fill(9),
  };
}

/** Every file below a directory with its contents. */
export function filesOf(directory: string, prefix = ''): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) for (const [key, value] of filesOf(path, `${name}/`)) files.set(key, value);
    else files.set(name, readFileSync(path));
  }
  return files;
}
