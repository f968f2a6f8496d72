import type { NitroClaims } from './nitro/claims.ts';
import type { SgxClaims } from './sgx/claims.ts';
import type { SnpClaims } from './snp/claims.ts';
import type { TdxClaims } from './tdx/claims.ts';
import type { TpmClaims } from './tpm/claims.ts';

/** What genuine evidence says, one shape per TEE. Byte strings are lower-case hexadecimal. */
export type Claims = SgxClaims | TdxClaims | SnpClaims | NitroClaims | TpmClaims;
