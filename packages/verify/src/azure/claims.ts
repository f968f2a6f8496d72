import type { TpmQuoteClaims } from '../tpm/claims.ts';

/** What Azure's vTPM adds to the claims of the hardware: the hardware's report data is the digest of the runtime data. */
export interface VtpmClaims {
  /** HCLAkPub's modulus, base64url. */
  readonly attestationKey: string;
  /** "user-data" of the runtime data, hexadecimal. */
  readonly userData: string | null;
  readonly vmConfiguration: unknown;
  /** Null where no TPM quote came along: then nothing shows that the report is fresh. */
  readonly tpm: TpmQuoteClaims | null;
}
