import { Buffer } from 'node:buffer';
import { chmodSync, chownSync, mkdirSync, statSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import type { ServedFilesystem } from '@ensconce/fuse/serve';
import { mountVolume } from '@ensconce/volume/mount';
import type { NewRoot } from '@ensconce/volume/worker';
import type { Configuration, ConfiguredVolume } from '@ensconce/wire/configuration';
import type { CasLink } from './cas-link.ts';
import { CasTagKeeper } from './cas-tag-keeper.ts';
import { RuntimeError } from './errors.ts';
import { resolveInRoot } from './in-root.ts';
import { mount, mountFlags } from './linux.ts';
import type { Log } from './log.ts';
import { hostPath, makeFolder, rootPath, volumesPath } from './root.ts';
import type { ApplicationUser } from './user.ts';
import { checkPlaces, what } from './volume-places.ts';

export interface VolumesOptions {
  readonly configuration: Configuration;
  readonly user: ApplicationUser;
  readonly cas: Pick<CasLink, 'ask'>;
  readonly ownUserNamespace: boolean;
  readonly log: Log;
}

export interface MountedVolumes {
  /** Makes everything durable, settles the tags with CAS and takes the volumes away. The root must be gone. */
  unmount(): Promise<void>;
}

/** Milliseconds until a volume that something still uses after the application's end is taken away all the same. */
const grace = 10_000;

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A component that is no folder.
    return undefined;
  }
}

/** The folder that the engine gives for a volume: the attacker's, like everything below {@link hostPath}. */
function backingDirectory(volume: ConfiguredVolume): string {
  const directory = resolveInRoot(hostPath, volume.path);
  if (statusOf(directory)?.isDirectory()) return directory;
  throw new RuntimeError(
    'VOLUME',
    `${what(volume)}: a folder of the host expected at ${volume.path} of the container, none found`,
    {
      hint: `mount one there: ensconce run --volume DIR:${volume.path}, docker run -v DIR:${volume.path}, or a volumeMount`,
    },
  );
}

/** A new volume looks like the folder of the image that it stands for, or belongs to the application. */
function newRoot({ path }: ConfiguredVolume, user: ApplicationUser): NewRoot {
  const folder = statusOf(resolveInRoot(rootPath, path));
  if (!folder?.isDirectory()) return { uid: user.uid, gid: user.gid, mode: 0o755 };
  return { uid: folder.uid, gid: folder.gid, mode: folder.mode & 0o7777 };
}

interface Served {
  readonly volume: ConfiguredVolume;
  /** Where it stands for the runtime. */
  readonly place: string;
  readonly filesystem: ServedFilesystem;
  readonly keeper: CasTagKeeper;
}

async function serve(volume: ConfiguredVolume, place: string, options: VolumesOptions): Promise<Served> {
  const keeper = new CasTagKeeper(options.cas, volume.name);
  const directory = backingDirectory(volume);
  mkdirSync(place, { recursive: true });
  try {
    const filesystem = await mountVolume({
      directory,
      mountpoint: place,
      volumeKey: new Uint8Array(Buffer.from(volume.key, 'base64')),
      keeper,
      worker: new URL('./volume-worker.mjs', import.meta.url),
      devicePath: posix.join(hostPath, 'dev', 'fuse'),
      log: (line) => options.log('ERROR', `${what(volume)}: ${line}`),
      ...(volume.policy === 'ephemeral'
        ? { readOnly: true }
        : { create: newRoot(volume, options.user), unprotected: volume.policy === 'no_rollback_protection' }),
      ...(volume.durability && { durability: volume.durability }),
    });
    return { volume, place, filesystem, keeper };
  } catch (cause) {
    throw new RuntimeError('VOLUME', `${what(volume)}: it cannot be used`, { cause });
  }
}

const { bind, noDev, noSuid, remount } = mountFlags;

/** Shows a volume to the application. Nothing on it is a device or has set-user-id. */
function show({ volume, place }: Served, ownUserNamespace: boolean): void {
  const target = makeFolder(volume.path);
  if (volume.policy !== 'ephemeral') {
    mount(place, target, '', bind);
    mount('', target, '', bind | remount | noDev | noSuid);
    return;
  }
  const [upper, work] = [`${place}.upper`, `${place}.work`];
  const { uid, gid, mode } = statSync(place);
  for (const folder of [upper, work]) mkdirSync(folder);
  chownSync(upper, uid, gid);
  chmodSync(upper, mode & 0o7777);
  const layers = `lowerdir=${place},upperdir=${upper},workdir=${work},volatile`;
  mount('overlay', target, 'overlay', noDev | noSuid, ownUserNamespace ? `${layers},userxattr` : layers);
}

/**
 * Mounts the volumes of the configuration into the application's root. The folders come from the host at the same paths;
 * CAS says which state each must have, and grants that this container is its one writer.
 *
 * @throws RuntimeError `VOLUME` or `CONFIGURATION`
 */
export async function mountVolumes(options: VolumesOptions): Promise<MountedVolumes> {
  // Outer ones first, for those that lie in another.
  const volumes = (options.configuration.volumes ?? []).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  checkPlaces(options.configuration, volumes);
  const served = await Promise.all(
    volumes.map((volume, index) => serve(volume, posix.join(volumesPath, String(index)), options)),
  );
  for (const one of served) show(one, options.ownUserNamespace);
  return {
    unmount: async () => {
      for (const { filesystem, keeper, volume } of served) {
        await filesystem.unmount({ lazy: true, graceMs: grace });
        if (volume.policy === 'rollback_protected') await keeper.close();
      }
    },
  };
}
