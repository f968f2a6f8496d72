import { unmount } from '@ensconce/fuse/mount';
import { loadNative } from '@ensconce/fuse/native';
import { CliError } from '../errors.ts';
import { askToTell } from '../state/volume-server.ts';
import type { Verb } from '../verb.ts';

export const volumeUmount: Verb = {
  name: 'volume umount',
  summary: 'unmount a volume; returns when everything is durable and the keeper has its tag',
  examples: ['ensconce volume umount /mnt', 'ensconce volume umount /mnt --lazy'],
  define(command, io) {
    command
      .argument('<mountpoint>', 'where it is mounted')
      .option('--lazy', 'take it away now, also from programs that use it; returns at once')
      .action(async (mountpoint: string, options: { lazy?: true }) => {
        const lazy = options.lazy === true;
        const server = lazy ? undefined : await askToTell(io, mountpoint);
        try {
          await unmount(loadNative(), mountpoint, lazy);
        } catch (error) {
          server?.cancel();
          throw error;
        }
        const failure = await server?.told;
        if (failure !== undefined && failure !== '')
          throw new CliError('CLI_FILE', `${mountpoint}: everything durable expected, found: ${failure}`, {
            hint: 'what fsync promised is there; look after disk and tag file, then mount again',
          });
      });
  },
};
