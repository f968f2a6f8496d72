import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Filesystem } from '@ensconce/fuse/filesystem';
import type { WorkerServices } from '@ensconce/fuse/worker';
import { DirectoryBacking } from './backing.ts';
import { fineClock } from './clock.ts';
import { evpAead } from './evp-aead.ts';
import { VolumeFilesystem } from './filesystem.ts';
import { openKeeper } from './keepers.ts';
import type { KeeperChoice } from './keepers.ts';
import { Volume } from './volume.ts';

/** What a worker needs to serve a volume; structured-clonable. */
export interface VolumeWorkerData {
  readonly directory: string;
  /** 32 bytes. */
  readonly volumeKey: Uint8Array;
  readonly keeper: KeeperChoice;
  readonly koffiPath?: string | undefined;
  /** Milliseconds after which changes become durable without fsync. */
  readonly commitInterval?: number | undefined;
}

/** Opens a volume for a FUSE worker: `serveWorker(volumeFilesystem)` is the whole entry module. */
export function volumeFilesystem(value: unknown, services: WorkerServices): Filesystem {
  const data = value as VolumeWorkerData;
  const backing = new DirectoryBacking(data.directory);
  const log = (line: string): void => services.log(line);
  const volume = Volume.open({
    backing,
    volumeKey: data.volumeKey,
    keeper: openKeeper(data.keeper, services),
    aead: evpAead(data.koffiPath),
    random: randomBytes,
    log,
  });
  return new VolumeFilesystem({
    volume,
    backing,
    now: fineClock(
      () => Date.now(),
      () => performance.now(),
    ),
    log,
    ...(data.commitInterval === undefined ? {} : { commitInterval: data.commitInterval }),
  });
}
