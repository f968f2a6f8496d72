import { randomBytes } from 'node:crypto';
import { accessSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { confidentialSpec, entryPoint } from '@ensconce/bundle/confidential';
import { findEngine, runBundle } from '@ensconce/bundle/engine';
import type { BindMount } from '@ensconce/bundle/spec';
import { mountRoot } from '@ensconce/bundle/root';
import { unpackLayer } from '@ensconce/bundle/unpack';
import { blobPath, readImage } from '@ensconce/image/layout';
import { parseReference } from '@ensconce/image/reference';
import { lasSocketPath } from '@ensconce/wire/las';
import { CliError } from '../errors.ts';
import { ExitStatus } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly cas?: string;
  readonly configId?: string;
  readonly las: string;
  readonly engine?: string;
  readonly network: string;
  readonly log?: string;
  readonly volume: readonly string[];
}

function requirements(io: Io, options: Options): void {
  if (process.getuid?.() !== 0) {
    throw new CliError('CLI_USAGE', 'root expected, because containers and mounts need it', {
      hint: 'sudo ensconce run …',
    });
  }
  try {
    accessSync('/dev/fuse');
  } catch (cause) {
    throw new CliError('CLI_FILE', '/dev/fuse expected, it is not there', { cause, hint: 'modprobe fuse' });
  }
  if (!(statSync(options.las, { throwIfNoEntry: false })?.isSocket() ?? false)) {
    throw new CliError('CLI_FILE', `${options.las}: the socket of a LAS expected, none found`, {
      hint: `start one (ensconce las serve --simulate), or name its socket with --las`,
    });
  }
  if (options.network !== 'host' && options.network !== 'none') {
    throw new CliError('CLI_USAGE', `--network: host or none expected, ${options.network} found`);
  }
  io.signal.throwIfAborted();
}

/** `HOSTDIR:PATH`: a folder of this machine for the volume that the policy has at PATH. */
function volumeMount(text: string): BindMount {
  const colon = text.lastIndexOf(':');
  const [source, destination] = [resolve(text.slice(0, Math.max(colon, 0))), text.slice(colon + 1)];
  const hidden = ['/.ensconce', '/dev', '/proc', '/sys'].some(
    (folder) => destination === folder || destination.startsWith(`${folder}/`),
  );
  if (colon < 1 || destination !== resolve('/', destination) || destination === '/' || hidden) {
    throw new CliError('CLI_USAGE', `--volume: HOSTDIR:PATH expected, with an absolute PATH, ${text} found`, {
      hint: 'for example --volume ./data:/var/lib/app, where the policy has a volume at /var/lib/app',
    });
  }
  if (!(statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false)) {
    throw new CliError('CLI_FILE', `--volume: a folder at ${source} expected, none found`, {
      hint: `make it: mkdir -p ${source}`,
    });
  }
  return { source, destination, readOnly: false };
}

/** The container's environment: the image's defaults, then what was asked for here. The host may choose all of it. */
function environmentOf(defaults: readonly string[], options: Options): string[] {
  const chosen = [
    ...(options.cas === undefined ? [] : [`SCONE_CAS_ADDR=${options.cas}`]),
    ...(options.configId === undefined ? [] : [`SCONE_CONFIG_ID=${options.configId}`]),
    ...(options.log === undefined ? [] : [`SCONE_LOG=${options.log}`]),
  ];
  const names = new Set(chosen.map((entry) => entry.split('=')[0]));
  return [...defaults.filter((entry) => !names.has(entry.split('=')[0])), ...chosen];
}

export const run: Verb = {
  name: 'run',
  summary: 'run a confidential image with runc or crun, as an engine would',
  examples: [
    'ensconce run oci:./confidential --config-id demo/app --cas localhost',
    'ensconce run oci:./confidential --volume ./data:/var/lib/app',
    'ensconce run oci:./confidential -- --verbose   # where the policy takes the argument: @@1',
  ],
  define(command, io) {
    command
      .argument('<image>', 'oci:DIR[:TAG]')
      .argument('[arguments...]', "arguments for the policy's @@N; others are refused")
      .option('--config-id <session/service>', 'what to ask CAS for; by default as the image says')
      .option('--cas <address>', 'service port of CAS; by default as the image says')
      .option('--las <socket>', 'socket of the LAS on this node', lasSocketPath)
      .option('--engine <program>', 'OCI runtime; by default runc, else crun')
      .option('--network <kind>', 'host or none', 'host')
      .option(
        '--volume <hostdir:path>',
        "folder that holds the policy's volume at PATH; may be repeated",
        (text: string, before: readonly string[]) => [...before, text],
        [] as readonly string[],
      )
      .option('--log <level>', 'FATAL, ERROR, WARNING, INFO, DEBUG or TRACE')
      .action(async (reference: string, args: readonly string[], options: Options) => {
        requirements(io, options);
        const volumes = options.volume.map(volumeMount);
        const engine = findEngine(io.environment['PATH'] ?? '', options.engine);
        const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
        const image = await readImage(parseReference(reference), { os: 'linux', architecture });
        if (image.config.config?.Entrypoint?.[0] !== entryPoint) {
          throw new CliError('CLI_FILE', `${reference}: a confidential image expected, another found`, {
            hint: 'make one: ensconce image --from …',
          });
        }
        const cache = join(io.environment['XDG_CACHE_HOME'] ?? join(io.home, '.cache'), 'ensconce', 'layers');
        const layers: string[] = [];
        for (const { digest, mediaType } of image.manifest.layers) {
          layers.push(
            await unpackLayer(
              { path: blobPath(image.directory, digest), mediaType, digest },
              cache,
              io.signal,
            ),
          );
        }
        const bundle = mkdtempSync(join(tmpdir(), 'ensconce-run-'));
        const root = await mountRoot(bundle, layers);
        try {
          const spec = confidentialSpec({
            root: root.path,
            args,
            environment: environmentOf(image.config.config.Env ?? [], options),
            lasSocket: options.las,
            lasSocketInside: lasSocketPath,
            terminal: isatty(0) && isatty(1),
            network: options.network === 'none' ? 'none' : 'host',
            volumes,
          });
          writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
          io.releaseSignals();
          const status = await runBundle({
            engine,
            bundle,
            id: `ensconce-${randomBytes(6).toString('hex')}`,
            stdio: 'inherit',
          });
          if (status !== 0) throw new ExitStatus(status);
        } finally {
          await root.remove();
        }
      });
  },
};
