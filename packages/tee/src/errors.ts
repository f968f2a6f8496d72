import { EnsconceError } from '@ensconce/base/errors';

/**
 * - `TEE_INTERFACE`: a kernel file is not there, or does not do what its documentation says.
 * - `TEE_PROVIDER`: the hardware behind configfs-tsm or Gramine is another one than expected.
 * - `TEE_PRIVILEGE_LEVEL`: the kernel does not allow the privilege level.
 * - `TEE_BUSY`: still busy, interrupted or timed out after several attempts; the same call may succeed later.
 * - `TEE_CONFLICT`: somebody else kept writing to the same entry.
 * - `TEE_SIZE`: more bytes than evidence may have.
 * - `TEE_FORMAT`: the evidence is not of a format that is known here.
 * - `TEE_REPORT_DATA`: the evidence is about other report data than asked for.
 * - `TEE_REGISTER`: a measurement register does not hold what it must after an extension.
 */
export type TeeErrorCode =
  | 'TEE_INTERFACE'
  | 'TEE_PROVIDER'
  | 'TEE_PRIVILEGE_LEVEL'
  | 'TEE_BUSY'
  | 'TEE_CONFLICT'
  | 'TEE_SIZE'
  | 'TEE_FORMAT'
  | 'TEE_REPORT_DATA'
  | 'TEE_REGISTER';

/** No evidence could be had from the TEE that this process runs in, or a register could not be extended. */
export class TeeError extends EnsconceError<TeeErrorCode> {}
