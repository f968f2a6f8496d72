/**
 * The transform beside what does the same work: `npm run bench -- image [oci:DIR:TAG [RUNS]]`. Whole, against
 * `umoci unpack` + `mksquashfs -comp zstd`; after a one-line change of the top layer, against `skopeo copy
 * --encryption-key` (ocicrypt). Runs are interleaved; the table shows medians.
 */
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseReference } from '@ensconce/image/reference';
import { pythonImage } from '../test/images/python.ts';
import { changeTopLayer } from './support/change.ts';
import { Misuse, refuseMore, wholeNumber } from './support/usage.ts';

/** As large as a real runtime layer: copying and verifying it is part of the work. */
const runtimeBytes = 43_000_000;
const here = dirname(fileURLToPath(import.meta.url));

function run(program: string, args: readonly string[]): { milliseconds: number; output: string } {
  const start = performance.now();
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  const milliseconds = performance.now() - start;
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`bench: ${program} ended with ${done.status}: ${done.stderr}`);
  return { milliseconds, output: done.stdout };
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

interface TransformOutput {
  readonly original: number;
  readonly sealed: number;
  readonly memory: number;
}

function layoutOf(image: string): { directory: string; tag: string } {
  const { directory, tag } = /^oci:./.test(image) ? parseReference(image) : {};
  if (directory === undefined || tag === undefined)
    throw new Misuse(`image: oci:DIR:TAG expected, ${image} found`);
  return { directory, tag };
}

/** Measures and prints; `args` are the image (`oci:DIR:TAG`, by default that of the demo) and the number of runs. */
export async function benchImage(args: readonly string[]): Promise<void> {
  refuseMore(args, 2);
  const runs = wholeNumber('RUNS', args[1], 3);
  const image = args[0] ?? (await pythonImage()).reference;
  const { directory, tag } = layoutOf(image);
  const scratch = mkdtempSync(join(tmpdir(), 'ensconce-bench-'));
  try {
    const runtime = join(scratch, 'runtime.tar');
    const runtimeLayer = randomBytes(runtimeBytes);
    writeFileSync(runtime, runtimeLayer);
    const digest = `sha256:${createHash('sha256').update(runtimeLayer).digest('hex')}`;
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    const key = join(scratch, 'key.pem');
    writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
    const times: Record<'whole' | 'unpackAndPack' | 'changed' | 'ocicrypt', number[]> = {
      whole: [],
      unpackAndPack: [],
      changed: [],
      ocicrypt: [],
    };
    let last: TransformOutput = { original: 0, sealed: 0, memory: 0 };
    let squashed = 0;
    const place = (name: string) => join(scratch, name);
    const clear = (...names: string[]) => {
      for (const name of names) rmSync(place(name), { recursive: true, force: true });
    };
    const transform = (from: string, to: string) =>
      run(process.execPath, [join(here, 'image-transform.ts'), from, to, runtime, digest]);
    for (let i = 0; i < runs; i++) {
      clear('out', 'bundle', 'root.squashfs', 'changed', 'encrypted');
      changeTopLayer(directory, tag, place('changed'), `line ${i} of this run\n`);
      const whole = transform(image, `oci:${place('out')}:app`);
      times.whole.push(whole.milliseconds);
      last = JSON.parse(whole.output) as TransformOutput;
      const unpack = run('umoci', ['unpack', '--image', `${directory}:${tag}`, place('bundle')]);
      const pack = run('mksquashfs', [
        join(place('bundle'), 'rootfs'),
        place('root.squashfs'),
        '-comp',
        'zstd',
        '-quiet',
        '-no-progress',
      ]);
      times.unpackAndPack.push(unpack.milliseconds + pack.milliseconds);
      squashed = statSync(place('root.squashfs')).size;
      times.changed.push(transform(`oci:${place('changed')}:${tag}`, `oci:${place('out')}:app`).milliseconds);
      const encrypt = ['copy', '--quiet', '--encryption-key', `jwe:${key}`];
      times.ocicrypt.push(
        run('skopeo', [...encrypt, `oci:${place('changed')}:${tag}`, `oci:${place('encrypted')}:app`])
          .milliseconds,
      );
    }
    report(times, last, squashed, runs);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function report(
  times: Record<'whole' | 'unpackAndPack' | 'changed' | 'ocicrypt', number[]>,
  last: TransformOutput,
  squashed: number,
  runs: number,
): void {
  const row = (name: string, ours: readonly number[], peer: string, theirs: readonly number[]) => ({
    name,
    ours: Math.round(median(ours)),
    peer,
    theirs: Math.round(median(theirs)),
    ratio: Number((median(theirs) / median(ours)).toFixed(2)),
  });
  const rows = [
    row('whole transform', times.whole, 'umoci unpack + mksquashfs zstd', times.unpackAndPack),
    row('after a one-line change', times.changed, 'skopeo copy --encryption-key', times.ocicrypt),
  ];
  const sizes = {
    original: last.original,
    sealed: last.sealed,
    squashfs: squashed,
    ratio: Number((last.sealed / last.original).toFixed(3)),
  };
  console.log('image: medians of', runs, 'runs, milliseconds; a ratio above 1 means faster than the peer');
  console.table(rows);
  console.log(
    `size: ${sizes.sealed} bytes sealed, ${sizes.original} compressed original (${sizes.ratio}×), ${squashed} as squashfs; ` +
      `${Math.round(last.memory / 1e6)} MB resident while transforming`,
  );
  const results = join(here, 'results');
  mkdirSync(results, { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  writeFileSync(
    join(results, 'image.json'),
    `${JSON.stringify({ rows, sizes, memory: last.memory, times, machine, runs }, null, 2)}\n`,
  );
}
