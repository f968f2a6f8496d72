import { spawn } from 'node:child_process';
import { mountVolume } from '@ensconce/volume/mount';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { keeperOf, readKey, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import type { Verb } from '../verb.ts';

interface Options extends VolumeOptions {
  readonly foreground?: true;
}

const ready = 'mounted\n';

async function serve(io: Io, directory: string, mountpoint: string, options: Options): Promise<void> {
  const served = await mountVolume({
    directory,
    mountpoint,
    volumeKey: readKey(options.keyFile),
    keeper: keeperOf(io, options),
    log: (line) => io.stderr(`volume: ${line}\n`),
  });
  io.stdout(ready);
  const stop = (): void => void served.unmount({ lazy: true });
  if (io.signal.aborted) stop();
  io.signal.addEventListener('abort', stop, { once: true });
  const failure = await served.closed;
  if (failure !== undefined) throw failure;
}

/** Starts this very command again in a session of its own, and returns when it says that it has mounted. */
async function serveBehind(io: Io, keyFile: string): Promise<void> {
  const args = [...process.execArgv, ...process.argv.slice(1), '--foreground'];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: [keyFile === '-' ? 'inherit' : 'ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  await new Promise<void>((resolve, reject) => {
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-10_000);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(ready)) resolve();
    });
    child.once('error', reject);
    child.once('exit', (status) => {
      io.stderr(errors);
      reject(
        new CliError('CLI_FILE', `a mounted volume expected, the server ended with exit code ${status}`),
      );
    });
  });
  io.stderr(errors);
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
}

export const volumeMount: Verb = {
  name: 'volume mount',
  summary: 'mount a volume; returns when it is mounted',
  examples: [
    'ensconce volume mount ./data /mnt --key-file key --tag-file /safe/data.tag',
    'ensconce volume mount ./data /mnt --key-file - --foreground < key',
  ],
  define(command, io) {
    withVolumeOptions(
      command.argument('<dir>', 'folder of the volume').argument('<mountpoint>', 'empty folder'),
    )
      .option('--foreground', 'stay until it is unmounted; Ctrl-C unmounts')
      .action(async (directory: string, mountpoint: string, options: Options) => {
        if (options.foreground === true) await serve(io, directory, mountpoint, options);
        else await serveBehind(io, options.keyFile);
      });
  },
};
