import type { CryptoProvider } from '@ensconce/x509/crypto';
import type { Trailing } from '@ensconce/evidence/intel/authentication';
import type { Extension } from './replay.ts';
import type { VerificationCache } from './cache.ts';

/** What every verification takes besides evidence and collateral. Verification reads no clock and no network. */
export interface VerifyOptions {
  readonly crypto: CryptoProvider;
  /** The time to judge for. Callers never use one below the newest signed date they have seen. */
  readonly at: Date;
  readonly cache?: VerificationCache;
  /** Bytes behind the end of the evidence; refused unless allowed. */
  readonly trailing?: Trailing;
  /** Root certificates (DER) of TPM vendors that the caller trusts: none is built in. */
  readonly tpmRoots?: readonly Uint8Array[];
  /** What a TD says it measured: it must explain its RTMRs, or the evidence is not genuine. The host's word until then. */
  readonly eventLog?: readonly Extension[] | undefined;
  /**
   * Root certificates (DER) of simulated vendors that shall be believed like real ones: it protects nothing. The verdict then says
   * `simulated`, and only a policy that accepts simulation accepts it.
   */
  readonly insecureSimulatedRoots?: readonly Uint8Array[];
}
