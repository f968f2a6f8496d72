import type { SgxClaims } from './sgx/claims.ts';

/** What genuine evidence says, one shape per TEE. Byte strings are lower-case hexadecimal. */
export type Claims = SgxClaims;
