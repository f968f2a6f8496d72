/**
 * `npm run bench -- start [RUNS]`: an attested `python3 -c pass` in a confidential container against the native image
 * under the same OCI runtime, in turn, with bundles prepared for both. LAS and CAS are real processes with simulated
 * hardware.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { confidentialSpec } from '@ensconce/bundle/confidential';
import { findEngine } from '@ensconce/bundle/engine';
import { mountRoot, type MountedRoot } from '@ensconce/bundle/root';
import { containerSpec } from '@ensconce/bundle/spec';
import { unpackLayer } from '@ensconce/bundle/unpack';
import { blobPath, readImage } from '@ensconce/image/layout';
import { lasSocketPath } from '@ensconce/wire/las';
import { Stage } from '../demo/stage.ts';
import { unpackImage } from '../test/images/native.ts';
import { pythonImage } from '../test/images/python.ts';
import { report, summary } from './support/report.ts';
import { refuseMore, wholeNumber } from './support/usage.ts';

const goal = 150;

interface Bundle {
  readonly name: 'native' | 'confidential';
  readonly folder: string;
  readonly root: MountedRoot;
}

function time(engine: string, bundle: Bundle, run: number): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(
    engine,
    ['run', '--bundle', bundle.folder, `bench-${process.pid}-${bundle.name}-${run}`],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const taken = performance.now() - began;
  if (status !== 0)
    throw new Error(`bench: ${bundle.name}: exit code 0 expected, ${status} found\n${stderr.toString()}`);
  return taken;
}

/** Adds each bundle to `bundles` as soon as it is mounted, so that the caller can undo it whatever happens next. */
async function prepare(stage: Stage, bundles: Bundle[]): Promise<void> {
  const image = await pythonImage();
  const vendor = stage.path('vendor');
  const socket = stage.path('las.sock');
  await stage.service(['las', 'serve', '--simulate', '--state', vendor, '--socket', socket]);
  const any = '127.0.0.1:0';
  const simulation = ['--insecure-accept-simulation', vendor];
  const listen = ['--listen-client', any, '--listen-service', any];
  const cas = await stage.service([
    'cas',
    'serve',
    '--state',
    stage.path('cas'),
    '--las',
    socket,
    ...listen,
    ...simulation,
  ]);
  const measurement = (await stage.succeed(['cas', 'measure'])).trim();
  await stage.succeed(['cas', 'attest', cas['client'] as string, '--mrenclave', measurement, ...simulation]);
  const to = stage.path('image');
  const command = ['--command', 'python3 -c pass'];
  await stage.succeed([
    'image',
    '--from',
    image.reference,
    '--to',
    `oci:${to}`,
    '--name',
    'bench',
    '--upload',
    ...command,
  ]);

  const { manifest } = await readImage(
    { directory: to, tag: undefined },
    { os: 'linux', architecture: 'amd64' },
  );
  const layers: string[] = [];
  for (const { digest, mediaType } of manifest.layers) {
    layers.push(
      await unpackLayer(
        { path: blobPath(to, digest), mediaType, digest },
        stage.path('unpacked'),
        stage.signal,
      ),
    );
  }
  const { folder } = await unpackImage(image.path);
  for (const [name, lower] of [
    ['native', [join(folder, 'rootfs')]],
    ['confidential', layers],
  ] as const) {
    mkdirSync(stage.path(name));
    bundles.push({ name, folder: stage.path(name), root: await mountRoot(stage.path(name), lower) });
  }
  const [native, confidential] = bundles as [Bundle, Bundle];
  const specs = {
    native: containerSpec({
      root: native.root.path,
      args: ['python3', '-c', 'pass'],
      environment: image.config.Env ?? [],
      directory: '/app',
      uid: 1000,
      gid: 1000,
      terminal: false,
      extraCapabilities: [],
      fuse: false,
      mounts: [],
      hostname: 'bench',
      network: 'host',
      unmasked: false,
    }),
    confidential: confidentialSpec({
      root: confidential.root.path,
      args: [],
      environment: [`SCONE_CAS_ADDR=${cas['service']}`, 'SCONE_CONFIG_ID=bench/app'],
      lasSocket: socket,
      lasSocketInside: lasSocketPath,
      terminal: false,
      network: 'host',
      volumes: [],
    }),
  };
  for (const { name, folder: bundle } of bundles)
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(specs[name]));
}

export async function bench(args: readonly string[]): Promise<void> {
  refuseMore(args, 1);
  const runs = wholeNumber('RUNS', args[0], 20);
  const engine = findEngine(process.env['PATH'] ?? '');
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const stage = new Stage(stop.signal, { quiet: true });
  const bundles: Bundle[] = [];
  try {
    await prepare(stage, bundles);
    const times: Record<Bundle['name'], number[]> = { native: [], confidential: [] };
    // The first runs fill the caches of kernel and LAS; they do not count.
    for (let run = -2; run < runs; run++) {
      stop.signal.throwIfAborted();
      for (const bundle of bundles) {
        const taken = time(engine, bundle, run);
        if (run >= 0) times[bundle.name].push(taken);
      }
    }
    const native = summary(times.native);
    const confidential = summary(times.confidential);
    const added = summary(times.confidential.map((taken, run) => taken - (times.native[run] as number)));
    report('start', {
      unit: 'ms',
      rows: { native, confidential, 'added (pair by pair)': added },
      notes: [`${runs} runs each, in turn; goal: at most ${goal} ms added (median)`],
    });
  } finally {
    for (const { root } of bundles) await root.remove();
    await stage.tidy();
  }
}
