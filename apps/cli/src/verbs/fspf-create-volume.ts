import { mkdirSync } from 'node:fs';
import { createVolume } from '@ensconce/volume/commands';
import { CliError } from '../errors.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly authenticated?: true;
  readonly encrypted?: true;
  readonly envarOutput?: true;
}

export const fspfCreateVolume: Verb = {
  name: 'fspf create-volume',
  summary: "SCONE's form of `volume create`: makes the key too, and prints key and tag",
  examples: [
    'ensconce fspf create-volume ./data',
    'ensconce fspf create-volume --envar-output ./data > volume.env',
  ],
  define(command, io) {
    command
      .argument('<dir>', 'folder for the volume, empty or not there yet')
      .option('-a, --authenticated', 'authenticated files: they are encrypted too')
      .option('-e, --encrypted', 'encrypted and authenticated files, as without any of the two')
      .option('--envar-output', 'print lines for a shell')
      .action((directory: string, options: Options) => {
        if (options.authenticated && options.encrypted)
          throw new CliError('CLI_USAGE', '-a or -e expected, both found');
        if (options.authenticated) io.stderr('note: the files of every volume are encrypted\n');
        const volumeKey = io.random(32);
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        const tag = createVolume({ directory, volumeKey });
        const prefix = options.envarOutput ? 'export ' : '';
        io.stdout(`${prefix}VOLUME_KEY=${volumeKey.toHex()}\n${prefix}VOLUME_TAG=${tag.toHex()}\n`);
      });
  },
};
