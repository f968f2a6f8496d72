import { EnsconceError } from '@ensconce/base/errors';

export type RuntimeErrorCode =
  | 'HOST_RECORD'
  | 'HOST_ENVIRONMENT'
  | 'IMAGE_DESCRIPTION'
  | 'CAS_UNREACHABLE'
  | 'CAS_IDENTITY'
  | 'CAS_REFUSED'
  | 'CAS_ANSWER'
  | 'CONFIGURATION'
  | 'MOUNT'
  | 'LAYER'
  | 'APPLICATION_START'
  | 'SYSTEM'
  | 'TEE'
  | 'VOLUME';

/** Why a confidential container did not start or had to stop. */
export class RuntimeError extends EnsconceError<RuntimeErrorCode> {}
