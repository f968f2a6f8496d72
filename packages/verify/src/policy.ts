import type { Claims } from './claims.ts';
import type { NitroIdentity } from './nitro/policy.ts';
import type { SgxIdentity } from './sgx/policy.ts';
import type { SnpIdentity } from './snp/policy.ts';
import type { TdxIdentity } from './tdx/policy.ts';
import type { TpmIdentity } from './tpm/policy.ts';

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

/** `*` for all. */
export type AdvisoryList = '*' | readonly string[];

/** What evidence must be to be accepted. Nothing is accepted that is not named: a TEE without a member here is refused. */
export interface AppraisalPolicy {
  readonly acceptSimulation: boolean;
  readonly tolerate: readonly Toleration[];
  /** Advisories that may apply where the TCB status is not `UpToDate`, for all TEEs or for each. The status itself must be tolerated too. */
  readonly ignoreAdvisories: AdvisoryList | Readonly<Partial<Record<Claims['tee'], AdvisoryList>>>;
  /** One of these identities; an empty list accepts nothing. `not-checked` judges the platform only, and the appraisal says so. */
  readonly sgx?: readonly SgxIdentity[] | 'not-checked';
  readonly tdx?: readonly TdxIdentity[] | 'not-checked';
  readonly snp?: readonly SnpIdentity[] | 'not-checked';
  readonly nitro?: readonly NitroIdentity[] | 'not-checked';
  readonly tpm?: readonly TpmIdentity[] | 'not-checked';
  /** Ids (hexadecimal) of the platforms or chips that are accepted; undefined for any. */
  readonly platforms?: readonly string[] | undefined;
  /** Ids (hexadecimal, 16 bytes) of Intel's quoting enclaves that are accepted; the host's software chooses them. Undefined for any. */
  readonly quotingEnclaves?: readonly string[] | undefined;
  /** Refuses a TCB level published before this time. */
  readonly minimumTcbDate?: Date | undefined;
  /** Refuses TCB information of Intel older than this evaluation. */
  readonly minimumEvaluationNumber?: number | undefined;
  /**
   * Milliseconds for which a platform may lag behind: until then after the first level that it lacks was published, `outdated-tcb` need not be tolerated nor
   * its advisories ignored.
   */
  readonly gracePeriod?: number | undefined;
  /** The bytes that bind the evidence to a connection or a nonce. `not-checked` accepts replayed evidence, and the appraisal says so. */
  readonly reportData: Uint8Array | 'not-checked';
}
