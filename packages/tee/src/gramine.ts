import { fromUtf8 } from '@ensconce/base/bytes';
import { TeeError } from './errors.ts';
import type { KernelFiles } from './files.ts';

/** Where Gramine shows its attestation files (Gramine documentation, "Attestation and Secret Provisioning"). They belong to the process. */
export const gramineRoot = '/dev/attestation';

/** Has Gramine make an SGX quote for 64 bytes of report data. */
export function readGramineQuote(files: KernelFiles, reportData: Uint8Array, root = gramineRoot): Uint8Array {
  if (reportData.length !== 64)
    throw new RangeError(`report data of 64 bytes expected, ${reportData.length} found`);
  let type: string;
  try {
    type = fromUtf8(files.read(`${root}/attestation_type`)).trim();
  } catch (cause) {
    throw new TeeError('TEE_ABSENT', `${root}: Gramine's attestation files expected`, {
      cause,
      hint: 'run under gramine-sgx',
    });
  }
  if (type !== 'dcap') {
    throw new TeeError('TEE_UNEXPECTED', `${root}/attestation_type: dcap expected, ${type} found`, {
      hint: 'set sgx.remote_attestation = "dcap" in the manifest',
    });
  }
  files.write(`${root}/user_report_data`, reportData);
  const quote = files.read(`${root}/quote`);
  if (quote.length === 0)
    throw new TeeError('TEE_UNEXPECTED', `${root}/quote: a quote expected, nothing found`);
  return quote;
}
