import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, Transform, type Readable } from 'node:stream';
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

const decompressors: ReadonlyMap<string, () => Transform> = new Map([
  ['application/vnd.oci.image.layer.v1.tar', () => new PassThrough()],
  ['application/vnd.oci.image.layer.v1.tar+gzip', () => createGunzip()],
  ['application/vnd.oci.image.layer.v1.tar+zstd', () => createZstdDecompress()],
]);

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

/** `source`: a stream to read, then those that its bytes pass through. */
async function extractTo(
  folder: string,
  source: readonly [Readable, ...Transform[]],
  signal: AbortSignal,
): Promise<void> {
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
      // The cache is on the host, and the layer is of the registry's making: nothing there runs with root's rights.
      await chmod(place, header.mode === undefined ? 0o755 : header.mode & 0o777);
    }
  })();
  const reading = pipeline([...source, archive], { signal });
  // A refused entry ends the reading too; both are awaited, so that nothing is written any more, and the refusal counts.
  const [written, read] = await Promise.allSettled([writing, reading]);
  if (written.status === 'rejected' && written.reason instanceof BundleError) throw written.reason;
  for (const side of [read, written]) if (side.status === 'rejected') throw side.reason;
}

/**
 * Unpacks a layer of a confidential image into a folder below `cache` that is named after its digest, unless it is
 * there already; returns the folder. What stands there is no more trusted than the registry: the runtime is measured
 * and the sealed layers are authenticated at every start.
 */
export async function unpackLayer(blob: LayerBlob, cache: string, signal: AbortSignal): Promise<string> {
  if (!/^sha256:[0-9a-f]{64}$/.test(blob.digest))
    refuse('a digest sha256:…', JSON.stringify(blob.digest.slice(0, 100)));
  const decompressor = decompressors.get(blob.mediaType);
  if (decompressor === undefined)
    refuse('an OCI layer', `media type ${JSON.stringify(blob.mediaType.slice(0, 100))}`);
  const final = join(cache, blob.digest.replace(':', '-'));
  if (existsSync(final)) return final;
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
    await extractTo(work, [createReadStream(blob.path), hashing, decompressor()], signal);
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
