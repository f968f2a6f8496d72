import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { parseVolumeKey, type VolumePlace } from '@ensconce/volume/commands';
import type { KeeperChoice } from '@ensconce/volume/keepers';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';

export interface VolumeOptions {
  readonly keyFile: string;
  readonly tag?: Uint8Array;
  readonly tagFile?: string;
}

/** @throws InvalidArgumentError */
export function parseTag(text: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('64 hexadecimal digits expected.');
  return Uint8Array.fromHex(text);
}

/** Adds what every command on a volume takes. */
export function withVolumeOptions(command: Command, { keyRequired = true } = {}): Command {
  const key = command
    .createOption(
      '--key-file <file>',
      'the volume key: 32 bytes or 64 hexadecimal digits; - for standard input',
    )
    .makeOptionMandatory(keyRequired);
  return command
    .addOption(key)
    .option(
      '--tag <hex>',
      'the tag that the volume must have, or have had: an older state is refused',
      parseTag,
    )
    .option('--tag-file <file>', 'keep the newest tag in this file, where who has the volume cannot write');
}

export function readKey(file: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a readable volume key expected`, { cause });
  }
  return parseVolumeKey(bytes);
}

export function keeperOf(io: Io, options: VolumeOptions): KeeperChoice {
  if (options.tagFile !== undefined) return { kind: 'file', path: options.tagFile };
  if (options.tag !== undefined) return { kind: 'unprotected', tag: options.tag };
  io.stderr('warning: no --tag or --tag-file: a roll-back of the whole volume is not noticed\n');
  return { kind: 'unprotected' };
}

export function placeOf(io: Io, directory: string, options: VolumeOptions): VolumePlace {
  return {
    directory,
    volumeKey: readKey(options.keyFile),
    keeper: keeperOf(io, options),
    log: (line) => io.stderr(`volume: ${line}\n`),
  };
}
