import { EnsconceError } from '@ensconce/base/errors';

export type BundleErrorCode = 'BUNDLE_ENGINE' | 'BUNDLE_UNPACK' | 'BUNDLE_DEVICE' | 'BUNDLE_MOUNT';

/** Why a container could not be prepared or given to an OCI runtime. */
export class BundleError extends EnsconceError<BundleErrorCode> {}
