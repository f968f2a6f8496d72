import { showVolume } from '@ensconce/volume/commands';
import { writeResult } from '../output/result.ts';
import { placeOf, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import type { Verb } from '../verb.ts';

export const volumeShow: Verb = {
  name: 'volume show',
  summary: 'show what a volume is, and its tag',
  examples: ['ensconce volume show ./data --key-file key'],
  define(command, io) {
    withVolumeOptions(command.argument('<dir>', 'folder of the volume'))
      .option('--json', 'write JSON')
      .action((directory: string, options: VolumeOptions & { json?: true }) => {
        const summary = showVolume(placeOf(io, directory, options));
        writeResult(io, options, { ...summary }, () =>
          Object.entries(summary)
            .map(([name, value]) => `${name}: ${value}`)
            .join('\n'),
        );
      });
  },
};
