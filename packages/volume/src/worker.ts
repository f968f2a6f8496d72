import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { isZero } from '@ensconce/base/bytes';
import type { Filesystem } from '@ensconce/fuse/filesystem';
import type { WorkerServices } from '@ensconce/fuse/worker';
import { DirectoryBacking } from './backing.ts';
import { fineClock } from './clock.ts';
import { coarseClock } from './coarse-clock.ts';
import { evpAead } from './evp-aead.ts';
import { evpDigests } from './evp-digests.ts';
import { VolumeError } from './errors.ts';
import { makeRoot, VolumeFilesystem } from './filesystem.ts';
import { openKeeper } from './keepers.ts';
import { RemoteTagKeeper } from './remote-tag-keeper.ts';
import type { KeeperChoice } from './keepers.ts';
import { UnprotectedTagKeeper } from './tag-keeper.ts';
import type { TagState } from './tag-keeper.ts';
import { Volume } from './volume.ts';
import type { Durability } from './settlement.ts';
import { readVolumeHeader } from './volume-header.ts';
import { diskCalls } from './disk-calls.ts';

/** What a worker needs to serve a volume; structured-clonable. */
export interface VolumeWorkerData {
  readonly directory: string;
  /** 32 bytes. */
  readonly volumeKey: Uint8Array;
  readonly keeper: KeeperChoice;
  readonly durability?: Durability | undefined;
  /** With a keeper in the parent: makes the volume first, if the keeper has never known a state of it. */
  readonly create?: NewRoot | undefined;
  /**
   * With a keeper in the parent: it is asked only whether the volume was ever made; a roll-back is not noticed, and
   * later tags are not told.
   */
  readonly unprotected?: boolean | undefined;
  /** Serves the newest state that counts, without becoming its writer. */
  readonly readOnly?: boolean | undefined;
  readonly koffiPath?: string | undefined;
  /** Milliseconds after which changes become durable without fsync. */
  readonly commitInterval?: number | undefined;
}

/** Owner and permissions of the root directory of a new volume. */
export interface NewRoot {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Opens a volume for a FUSE worker: `serveWorker(volumeFilesystem)` is the whole entry module. */
export function volumeFilesystem(value: unknown, services: WorkerServices): Filesystem {
  const data = value as VolumeWorkerData;
  const backing = new DirectoryBacking(data.directory, data.readOnly, diskCalls(data.koffiPath));
  const log = (line: string): void => services.log(line);
  const remote = data.keeper.kind === 'parent' ? new RemoteTagKeeper(services) : undefined;
  const kernelCollects = data.durability === 'collected-100ms';
  const now = kernelCollects
    ? coarseClock(data.koffiPath)
    : fineClock(
        () => Date.now(),
        () => performance.now(),
      );
  const options = {
    backing,
    volumeKey: data.volumeKey,
    keeper: remote ?? openKeeper(data.keeper, data.koffiPath),
    aead: evpAead(data.koffiPath),
    digests: evpDigests(data.koffiPath),
    random: randomBytes,
    ...(data.durability && { durability: data.durability }),
    clock: () => performance.now(),
    log,
  };
  const { create } = data;
  if (remote && isNew(remote.read())) {
    if (!create) throw neverMade();
    Volume.create({ ...options, keeper: remote.waiting() }, (volume) =>
      makeRoot(volume, now(), create.mode, create.uid, create.gid),
    );
  }
  // Also without protection from a roll-back, an emptied directory is told from a new one.
  if (remote && data.unprotected) readVolumeHeader(backing, data.volumeKey, remote);
  const keeper = data.unprotected ? new UnprotectedTagKeeper() : options.keeper;
  const volume = data.readOnly
    ? Volume.openReadOnly({ ...options, keeper })
    : Volume.open({ ...options, keeper });
  const filesystem = new VolumeFilesystem({
    volume,
    backing,
    now,
    log,
    ...(data.readOnly && { readOnly: true }),
    kernelCollects,
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

/** Never begun, or begun and without a state that anybody was told of. */
function isNew({ tag }: TagState): boolean {
  return tag === undefined || isZero(tag);
}

function neverMade(): VolumeError {
  return new VolumeError(
    'VOLUME_MISSING',
    'volume: one that was used before expected, it has never been made',
    {
      hint: 'use it first where it may be made',
    },
  );
}

/** Milliseconds for which the last commit waits for the next answer of the keeper. */
const patience = 60_000;
