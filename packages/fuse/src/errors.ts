import { EnsconceError } from '@ensconce/base/errors';

/**
 * - `FUSE_NATIVE`: the foreign-function addon could not be loaded or a C library function is missing.
 * - `FUSE_DEVICE`: `/dev/fuse` could not be opened or cloned.
 * - `FUSE_MOUNT`: the kernel refused the mount.
 * - `FUSE_UNMOUNT`: the kernel refused to unmount.
 * - `FUSE_BUSY`: the file system is in use and was not unmounted.
 * - `FUSE_PROTOCOL`: the kernel's protocol version is not one that we speak, or its INIT is malformed.
 * - `FUSE_REQUEST`: a request is shorter than its header says or than its operation needs.
 * - `FUSE_WORKER`: the worker that serves the file system failed.
 */
export type FuseErrorCode =
  | 'FUSE_NATIVE'
  | 'FUSE_DEVICE'
  | 'FUSE_MOUNT'
  | 'FUSE_UNMOUNT'
  | 'FUSE_BUSY'
  | 'FUSE_PROTOCOL'
  | 'FUSE_REQUEST'
  | 'FUSE_WORKER';

export class FuseError extends EnsconceError<FuseErrorCode> {}
