import { rekey } from '@ensconce/volume/commands';
import { readKey, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import type { Verb } from '../verb.ts';

export const volumeRekey: Verb = {
  name: 'volume rekey',
  summary: 'change the volume key, without writing the data again',
  examples: ['ensconce volume rekey ./data --key-file old --new-key-file new'],
  define(command) {
    withVolumeOptions(command.argument('<dir>', 'folder of the volume, not mounted'))
      .requiredOption('--new-key-file <file>', 'the new key: 32 bytes or 64 hexadecimal digits')
      .action((directory: string, options: VolumeOptions & { newKeyFile: string }) => {
        // The tag does not change, so that nobody has to be asked for it.
        rekey({ directory, volumeKey: readKey(options.keyFile) }, readKey(options.newKeyFile));
      });
  },
};
