import { serveFilesystem } from '@ensconce/fuse/serve';
import type { ServedFilesystem } from '@ensconce/fuse/serve';
import type { KeeperChoice } from './keepers.ts';
import { answerTagKeeper } from './remote-tag-keeper.ts';
import type { AsyncTagKeeper } from './remote-tag-keeper.ts';
import type { Durability } from './settlement.ts';
import type { NewRoot, VolumeWorkerData } from './worker.ts';

export interface MountVolumeOptions {
  /** The directory that holds the volume. */
  readonly directory: string;
  readonly mountpoint: string;
  /** 32 bytes. */
  readonly volumeKey: Uint8Array;
  /** Where the tag is kept: a keeper of this thread, such as CAS, or one that the worker opens by itself. */
  readonly keeper: AsyncTagKeeper | KeeperChoice;
  /** When fsync returns; `settled` unless given. */
  readonly durability?: Durability;
  /** With a keeper of this thread: makes the volume first, if that keeper has never known a state of it. */
  readonly create?: NewRoot;
  /** With a keeper of this thread: it is asked only whether the volume was ever made. No roll-back is noticed. */
  readonly unprotected?: boolean;
  /** Serves the newest state that counts, read-only, without becoming its writer. */
  readonly readOnly?: boolean;
  /** The worker's entry module; that of this package unless the program is bundled. */
  readonly worker?: URL | string;
  readonly koffiPath?: string;
  readonly devicePath?: string;
  /** Milliseconds after which changes become durable without fsync; 1000 unless given. */
  readonly commitInterval?: number;
  readonly noExec?: boolean;
  readonly noSuid?: boolean;
  /** What `mount` and `df` show as the source; `ensconce` unless given. */
  readonly source?: string;
  readonly log?: (line: string) => void;
}

/** Bytes: streams are a tenth faster than with the kernel's half of it, and page faults of mappings read twice as much. */
const readAhead = 256 * 1024;

/**
 * Mounts a volume, for reading and writing unless `readOnly`. Resolves when it is served: its newest state has been found, settled with the
 * keeper, and every earlier writer is shut out.
 *
 * @throws FuseError, whose message has the reason where the volume could not be opened
 */
export async function mountVolume(options: MountVolumeOptions): Promise<ServedFilesystem> {
  const { keeper, log = () => undefined } = options;
  const remote = 'kind' in keeper ? undefined : keeper;
  const data: VolumeWorkerData = {
    directory: options.directory,
    volumeKey: options.volumeKey,
    keeper: 'kind' in keeper ? keeper : { kind: 'parent' },
    durability: options.durability,
    koffiPath: options.koffiPath,
    commitInterval: options.commitInterval,
    create: options.create,
    unprotected: options.unprotected,
    readOnly: options.readOnly,
  };
  return serveFilesystem({
    mountpoint: options.mountpoint,
    worker: options.worker ?? new URL('entry.ts', import.meta.url),
    data,
    log,
    readAhead,
    ...(remote && {
      onMessage: (message: unknown, post: (value: unknown) => void) =>
        answerTagKeeper(remote, message, post, log),
    }),
    ...(options.koffiPath === undefined ? {} : { koffiPath: options.koffiPath }),
    ...(options.devicePath === undefined ? {} : { devicePath: options.devicePath }),
    ...(options.noExec === undefined ? {} : { noExec: options.noExec }),
    ...(options.noSuid === undefined ? {} : { noSuid: options.noSuid }),
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.readOnly === undefined ? {} : { readOnly: options.readOnly }),
  });
}
