import { unmount } from '@ensconce/fuse/mount';
import { loadNative } from '@ensconce/fuse/native';
import type { Verb } from '../verb.ts';

export const volumeUmount: Verb = {
  name: 'volume umount',
  summary: 'unmount a volume; returns when everything is durable',
  examples: ['ensconce volume umount /mnt', 'ensconce volume umount /mnt --lazy'],
  define(command) {
    command
      .argument('<mountpoint>', 'where it is mounted')
      .option('--lazy', 'take it away now, also from programs that use it')
      .action(async (mountpoint: string, options: { lazy?: true }) => {
        await unmount(loadNative(), mountpoint, options.lazy === true);
      });
  },
};
