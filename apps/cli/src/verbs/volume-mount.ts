import { spawn } from 'node:child_process';
import { resolve as absolute } from 'node:path';
import { causeChain } from '@ensconce/base/errors';
import { mountVolume } from '@ensconce/volume/mount';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { parseMountOptions, type MountOptions } from '../state/mount-options.ts';
import { backgroundLog } from '../state/volume-log.ts';
import { keeperOf, parseTag, readKey, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import { announce } from '../state/volume-server.ts';
import type { Verb } from '../verb.ts';

interface Options extends Partial<VolumeOptions> {
  readonly foreground?: true;
  readonly background?: true;
  readonly readOnly?: true;
  readonly logFile?: string;
  readonly options: MountOptions;
}

interface Settled extends VolumeOptions {
  readonly readOnly: boolean;
  readonly logFile: string | undefined;
}

const ready = 'mounted\n';

/** The options of the command and those of `-o`, which say the same. */
function settle({ options, ...given }: Options): Settled {
  const keyFile = given.keyFile ?? options.keyFile;
  if (keyFile === undefined)
    throw new CliError('CLI_USAGE', '--key-file, or key-file in -o, expected, neither found');
  const tag = given.tag ?? (options.tag === undefined ? undefined : parseTag(options.tag));
  const tagFile = given.tagFile ?? options.tagFile;
  return {
    keyFile,
    ...(tag && { tag }),
    ...(tagFile !== undefined && { tagFile }),
    readOnly: given.readOnly === true || options.readOnly,
    logFile: given.logFile ?? options.logFile,
  };
}

async function serve(io: Io, directory: string, mountpoint: string, given: Options): Promise<void> {
  const settled = settle(given);
  const behind = given.background === true ? backgroundLog(settled.logFile, io.now) : undefined;
  const toLog = behind?.write ?? ((line: string) => io.stderr(`volume: ${line}\n`));
  let mounted = false;
  let failure: string | undefined;
  const served = await mountVolume({
    directory,
    mountpoint,
    source: absolute(directory),
    volumeKey: readKey(settled.keyFile),
    keeper: keeperOf(io, settled),
    readOnly: settled.readOnly,
    noExec: given.options.noExec,
    noSuid: given.options.noSuid,
    log: (line) => {
      if (line.startsWith('the last commit failed')) failure = line;
      if (mounted) toLog(`${directory}: ${line}`);
      else io.stderr(`volume: ${line}\n`);
    },
  });
  const tell = await announce(io, mountpoint, toLog);
  mounted = true;
  io.stdout(ready);
  const stop = (): void => void served.unmount({ lazy: true });
  if (io.signal.aborted) stop();
  io.signal.addEventListener('abort', stop, { once: true });
  const end = await served.closed;
  if (end !== undefined) behind?.write(`${directory}: ${causeChain(end).join(': ')}`);
  tell(end === undefined ? failure : causeChain(end).join(': '));
  behind?.close();
  if (end !== undefined) throw end;
}

/** Starts this very command again in a session of its own, and returns when it says that it has mounted. */
async function serveBehind(io: Io, keyFile: string): Promise<void> {
  // Node, this program, `volume mount`, and what was given with it.
  const [words, given] = [process.argv.slice(1, 4), process.argv.slice(4)];
  const args = [...process.execArgv, ...words, '--background', ...given];
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
    child.once('close', (status) => {
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
    'ensconce volume mount /srv/data /mnt -o key-file=/etc/data.key,tag-file=/safe/data.tag,ro',
  ],
  define(command, io) {
    withVolumeOptions(
      command.argument('<dir>', 'folder of the volume').argument('<mountpoint>', 'empty folder'),
      { keyRequired: false },
    )
      .option('--read-only', 'serve the newest state, without becoming its writer')
      .option(
        '-o, --options <list>',
        'the same and ro, noexec, nosuid as in fstab: key-file=FILE,tag-file=FILE,ro',
        (text: string) => parseMountOptions(text),
        parseMountOptions(''),
      )
      .option('--foreground', 'stay until it is unmounted; Ctrl-C unmounts')
      .option(
        '--log-file <file>',
        'where the server in the background writes what is wrong; the system log unless given',
      )
      .addOption(command.createOption('--background').hideHelp())
      .action(async (directory: string, mountpoint: string, options: Options) => {
        if (options.foreground === true || options.background === true)
          await serve(io, directory, mountpoint, options);
        else await serveBehind(io, settle(options).keyFile);
      });
  },
};
