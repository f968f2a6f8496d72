/** The volume's own file system and FUSE loop with a cipher that copies: the ceiling that encryption is measured against. */
import { randomBytes } from 'node:crypto';
import { serveWorker } from '@ensconce/fuse/worker';
import { DirectoryBacking } from '@ensconce/volume/backing';
import { evpDigests } from '@ensconce/volume/evp-digests';
import { VolumeFilesystem } from '@ensconce/volume/filesystem';
import { UnprotectedTagKeeper } from '@ensconce/volume/tag-keeper';
import { Volume } from '@ensconce/volume/volume';
import { diskCalls } from '@ensconce/volume/disk-calls';
import { copyingAead } from './copying-aead.ts';

serveWorker((value, services) => {
  const { directory } = value as { directory: string };
  const backing = new DirectoryBacking(directory, false, diskCalls());
  const log = (line: string): void => services.log(line);
  const volume = Volume.open({
    backing,
    volumeKey: new Uint8Array(32),
    keeper: new UnprotectedTagKeeper(),
    aead: copyingAead,
    digests: evpDigests(),
    random: randomBytes,
    log,
  });
  const now = () => ({ seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 });
  return new VolumeFilesystem({ volume, backing, now, log });
});
