import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { BundleError } from './errors.ts';

/** A layer blob of an OCI image layout. */
export interface LayerBlob {
  readonly path: string;
  readonly mediaType: string;
  /** `sha256:…`, checked while unpacking. */
  readonly digest: string;
}

const decompressors: Readonly<Record<string, (() => Transform) | undefined>> = {
  'application/vnd.oci.image.layer.v1.tar': undefined,
  'application/vnd.oci.image.layer.v1.tar+gzip': createGunzip,
  'application/vnd.oci.image.layer.v1.tar+zstd': createZstdDecompress,
};

function refuse(expected: string, found: string): never {
  throw new BundleError('BUNDLE_UNPACK', `layer: ${expected} expected, ${found} found`, {
    hint: 'this is not a confidential image as `ensconce image` makes it',
  });
}

/** The place of an entry below `folder`. A confidential image has folders and files below /.ensconce, nothing else. */
function placeOf(folder: string, header: Header): string {
  const parts = header.name
    .replace(/^\.?\//, '')
    .split('/')
    .filter((part) => part !== '');
  if (parts.includes('..') || parts.includes('.') || (parts.length > 0 && parts[0] !== '.ensconce')) {
    refuse('a path below /.ensconce', JSON.stringify(header.name.slice(0, 200)));
  }
  if (header.type !== 'file' && header.type !== 'directory')
    refuse('a file or a folder', `a ${header.type ?? 'nameless kind'}`);
  return join(folder, ...parts);
}

async function extractTo(folder: string, source: Readable, signal: AbortSignal): Promise<void> {
  const archive = extract();
  const writing = (async () => {
    for await (const entry of archive) {
      const { header } = entry;
      const place = placeOf(folder, header);
      await mkdir(header.type === 'directory' ? place : dirname(place), { recursive: true });
      if (header.type === 'directory') {
        entry.resume();
      } else {
        await pipeline(entry as unknown as Readable, createWriteStream(place, { flags: 'wx' }), { signal });
      }
      await chmod(place, header.mode === undefined ? 0o755 : header.mode & 0o7777);
    }
  })();
  await Promise.all([pipeline(source, archive, { signal }), writing]);
}

/**
 * Unpacks a layer of a confidential image into a folder below `cache` that is named after its digest, unless it is
 * there already; returns the folder. What stands there is no more trusted than the registry: the runtime is measured
 * and the sealed layers are authenticated at every start.
 */
export async function unpackLayer(blob: LayerBlob, cache: string, signal: AbortSignal): Promise<string> {
  const final = join(cache, blob.digest.replace(':', '-'));
  if (existsSync(final)) return final;
  if (!(blob.mediaType in decompressors)) refuse('an OCI layer', `media type ${blob.mediaType}`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'work-'));
  try {
    const hash = createHash('sha256');
    const hashing = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    const read = createReadStream(blob.path);
    const decompressor = decompressors[blob.mediaType]?.();
    read.on('error', (error) => hashing.destroy(error));
    const hashed = read.pipe(hashing);
    if (decompressor) hashed.on('error', (error) => decompressor.destroy(error));
    await extractTo(work, decompressor ? hashed.pipe(decompressor) : hashed, signal);
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== blob.digest) refuse(`the blob ${blob.digest}`, found);
    await chmod(work, 0o755);
    await rename(work, final);
    return final;
  } catch (cause) {
    await rm(work, { recursive: true, force: true });
    // Two runs may unpack one layer at once; the second finds the work of the first.
    if (existsSync(final)) return final;
    if (cause instanceof BundleError) throw cause;
    throw new BundleError(
      'BUNDLE_UNPACK',
      `layer ${blob.digest}: a readable archive and room for it in ${cache} expected`,
      { cause },
    );
  }
}
