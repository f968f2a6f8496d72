/** What a TPM quote says, once its signature and PCR values hold. */
export interface TpmQuoteClaims {
  /** The nonce that was asked for. */
  readonly nonce: string;
  readonly bank: string;
  readonly pcrs: Readonly<Record<string, string>>;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly firmwareVersion: string;
}

/** A machine that is known by its TPM alone: nothing here protects its memory from its host. */
export interface TpmClaims extends Omit<TpmQuoteClaims, 'nonce'> {
  readonly tee: 'tpm';
  /** A TPM has no such mode. */
  readonly debug: false;
  /** SHA-256 of the attestation key's SubjectPublicKeyInfo. */
  readonly attestationKey: string;
  /** The nonce that was asked for. */
  readonly reportData: string;
  /** PCRs that a log which came along explains; null without one. */
  readonly loggedPcrs: readonly number[] | null;
}
