import type { Sign } from '../sign.ts';

/** Gramine's own files; `/dev/sgx_enclave` would only say that the machine can have enclaves. */
export const signs: readonly Sign[] = [{ path: 'dev/attestation' }];
