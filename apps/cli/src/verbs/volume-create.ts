import { mkdirSync } from 'node:fs';
import { createVolume } from '@ensconce/volume/commands';
import { writeResult } from '../output/result.ts';
import { placeOf, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import type { Verb } from '../verb.ts';

export const volumeCreate: Verb = {
  name: 'volume create',
  summary: 'make an empty volume and show its tag',
  examples: [
    'ensconce volume create ./data --key-file key   # head -c 32 /dev/urandom > key',
    'ensconce volume create ./data --key-file key --tag-file /safe/data.tag',
  ],
  define(command, io) {
    withVolumeOptions(command.argument('<dir>', 'folder for the volume, empty or not there yet'))
      .option('--json', 'write JSON')
      .action((directory: string, options: VolumeOptions & { json?: true }) => {
        const place = placeOf(io, directory, options);
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        const tag = createVolume(place).toHex();
        writeResult(io, options, { tag }, () => tag);
      });
  },
};
