import { closeSync, constants, openSync } from 'node:fs';
import { errno, errnoName } from './errno.ts';
import { FuseError } from './errors.ts';
import type { Native } from './native.ts';

export interface MountOptions {
  /** What `mount` and `df` show as the source; `ensconce` unless given. */
  readonly source?: string;
  /** Shown as `fuse.SUBTYPE`; `ensconce` unless given. */
  readonly subtype?: string;
  readonly readOnly?: boolean;
  readonly noExec?: boolean;
  readonly noSuid?: boolean;
  /** Whether users other than the one who mounts may use the file system; true unless given. */
  readonly allowOther?: boolean;
  /** Owner of the mount inside its user namespace; 0 unless given. */
  readonly uid?: number;
  readonly gid?: number;
}

const flag = { readOnly: 1, noSuid: 2, noDevices: 4, noExec: 8, detach: 2 } as const;

/**
 * Opens a FUSE device, in the user namespace that will mount.
 *
 * @throws FuseError `FUSE_DEVICE`
 */
export function openDevice(path = '/dev/fuse'): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    throw new FuseError('FUSE_DEVICE', `the FUSE device expected at ${path}, it could not be opened`, {
      cause,
      hint: 'give the container /dev/fuse (--device /dev/fuse) and load the kernel module fuse',
    });
  }
}

/** `FUSE_DEV_IOC_CLONE`: `_IOR(229, 0, uint32_t)`. */
const cloneRequest = 0x8004e500;

/**
 * Another descriptor for the connection of `device`, so that a second worker can serve it.
 *
 * @throws FuseError `FUSE_DEVICE`
 */
export function cloneDevice(native: Native, device: number, path?: string): number {
  const clone = openDevice(path);
  const argument = new Uint8Array(4);
  new DataView(argument.buffer).setUint32(0, device, true);
  const result = native.ioctl(clone, cloneRequest, argument);
  if (result < 0) {
    closeSync(clone);
    throw new FuseError('FUSE_DEVICE', `a clone of the FUSE device expected, ${errnoName(-result)} found`);
  }
  return clone;
}

/**
 * Mounts the connection of `device` on `mountpoint` by mount(2): never with device nodes, with set-user-id unless `noSuid`,
 * so that programs like sudo keep working.
 *
 * @throws FuseError `FUSE_MOUNT`
 */
export function mountDevice(
  native: Native,
  device: number,
  mountpoint: string,
  options: MountOptions = {},
): void {
  const data = [
    `fd=${device}`,
    'rootmode=40000',
    `user_id=${options.uid ?? 0}`,
    `group_id=${options.gid ?? 0}`,
    'default_permissions',
    ...(options.allowOther === false ? [] : ['allow_other']),
  ].join(',');
  let flags: number = flag.noDevices;
  if (options.readOnly) flags |= flag.readOnly;
  if (options.noExec) flags |= flag.noExec;
  if (options.noSuid) flags |= flag.noSuid;
  const result = native.mount(
    options.source ?? 'ensconce',
    mountpoint,
    `fuse.${options.subtype ?? 'ensconce'}`,
    flags,
    data,
  );
  if (result < 0)
    throw new FuseError('FUSE_MOUNT', `${mountpoint}: a mount expected, ${errnoName(-result)} found`, {
      hint:
        result === -errno.EPERM
          ? 'mounting needs CAP_SYS_ADMIN, or a user namespace with its own mount namespace'
          : undefined,
    });
}

/**
 * Unmounts off this thread; `detach` takes the mount away at once and leaves it to those who still use it.
 *
 * @throws FuseError `FUSE_BUSY` or `FUSE_UNMOUNT`
 */
export async function unmount(native: Native, mountpoint: string, detach: boolean): Promise<void> {
  refuse(await native.umount2Async(mountpoint, detach ? flag.detach : 0), mountpoint);
}

/** Like {@link unmount} with `detach`, on this thread: for the last moments of a process. */
export function detachNow(native: Native, mountpoint: string): void {
  refuse(native.umount2(mountpoint, flag.detach), mountpoint);
}

function refuse(result: number, mountpoint: string): void {
  if (result === -errno.EBUSY)
    throw new FuseError('FUSE_BUSY', `${mountpoint}: a file system that nobody uses expected, it is in use`, {
      hint: 'close its files and leave its directories, or unmount lazily',
    });
  // EINVAL: not a mount point any more.
  if (result < 0 && result !== -errno.EINVAL)
    throw new FuseError('FUSE_UNMOUNT', `${mountpoint}: unmounting failed with ${errnoName(-result)}`);
}
