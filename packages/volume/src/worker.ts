import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Filesystem } from '@ensconce/fuse/filesystem';
import type { WorkerServices } from '@ensconce/fuse/worker';
import { DirectoryBacking } from './backing.ts';
import { fineClock } from './clock.ts';
import { evpAead } from './evp-aead.ts';
import { VolumeFilesystem } from './filesystem.ts';
import { openKeeper } from './keepers.ts';
import { RemoteTagKeeper } from './remote-tag-keeper.ts';
import type { KeeperChoice } from './keepers.ts';
import { Volume } from './volume.ts';
import type { Durability } from './volume.ts';

/** What a worker needs to serve a volume; structured-clonable. */
export interface VolumeWorkerData {
  readonly directory: string;
  /** 32 bytes. */
  readonly volumeKey: Uint8Array;
  readonly keeper: KeeperChoice;
  readonly durability?: Durability | undefined;
  readonly koffiPath?: string | undefined;
  /** Milliseconds after which changes become durable without fsync. */
  readonly commitInterval?: number | undefined;
}

/** Opens a volume for a FUSE worker: `serveWorker(volumeFilesystem)` is the whole entry module. */
export function volumeFilesystem(value: unknown, services: WorkerServices): Filesystem {
  const data = value as VolumeWorkerData;
  const backing = new DirectoryBacking(data.directory);
  const log = (line: string): void => services.log(line);
  const remote = data.keeper.kind === 'parent' ? new RemoteTagKeeper(services) : undefined;
  const volume = Volume.open({
    backing,
    volumeKey: data.volumeKey,
    keeper: remote ?? openKeeper(data.keeper),
    aead: evpAead(data.koffiPath),
    random: randomBytes,
    ...(data.durability && { durability: data.durability }),
    log,
  });
  const filesystem = new VolumeFilesystem({
    volume,
    backing,
    now: fineClock(
      () => Date.now(),
      () => performance.now(),
    ),
    log,
    ...(data.commitInterval === undefined ? {} : { commitInterval: data.commitInterval }),
  });
  if (!remote) return filesystem;
  return Object.assign(filesystem, {
    message: (message: unknown) => remote.receive(message),
    destroy: () => {
      filesystem.finish();
      // The loop is over: answers of the keeper are taken here.
      while (remote.asking) remote.receive(services.receive(patience));
    },
  });
}

/** Milliseconds for which the last commit waits for the next answer of the keeper. */
const patience = 60_000;
