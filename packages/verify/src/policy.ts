/** What a session may tolerate, in its own language. Those without an effect on a TEE are accepted and permit nothing there. */
export const tolerations = [
  'debug-mode',
  'hyperthreading',
  'insecure-igpu',
  'software-hardening-needed',
  'aepic-leak',
  'insecure-configuration',
  'outdated-tcb',
  'maa-managed-tcb',
  'local-attestation-trust-cas-tcb',
] as const;
export type Toleration = (typeof tolerations)[number];

/** Both ends inclusive. */
export interface Range {
  readonly minimum: number;
  readonly maximum: number;
}

/** Which code is accepted: one enclave, or a signer's product within a range of versions. Hexadecimal, 32 bytes. */
export type SgxIdentity =
  | { readonly mrenclave: string }
  | { readonly mrsigner: string; readonly isvprodid: Range; readonly isvsvn: Range };

/** What evidence must be to be accepted. Nothing is accepted that is not named. */
export interface AppraisalPolicy {
  readonly acceptSimulation: boolean;
  readonly tolerate: readonly Toleration[];
  /** Advisories that may apply where the TCB status is not `UpToDate`; `*` for all. The status itself must be tolerated too. */
  readonly ignoreAdvisories: '*' | readonly string[];
  /** One of these identities; an empty list accepts nothing. `not-checked` judges the platform only, and the appraisal says so. */
  readonly sgx: readonly SgxIdentity[] | 'not-checked';
  /** Platform ids (hexadecimal) that are accepted; undefined for any. */
  readonly platforms?: readonly string[] | undefined;
  /** Refuses a TCB level published before this time. */
  readonly minimumTcbDate?: Date | undefined;
  /** The 64 bytes that bind the evidence to a connection or a nonce. `not-checked` accepts replayed evidence, and the appraisal says so. */
  readonly reportData: Uint8Array | 'not-checked';
}
