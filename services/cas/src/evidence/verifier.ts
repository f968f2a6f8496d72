import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { VerificationCache } from '@ensconce/verify/cache';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import type { Verdict } from '@ensconce/verify/verdict';

export interface EvidenceToVerify {
  readonly format: 'sgx';
  /** Untrusted bytes. */
  readonly evidence: Uint8Array;
  readonly now: Date;
}

/** Judges whether evidence is genuine; what is accepted of the genuine is for a policy to say. */
export interface EvidenceVerifier {
  /** True where simulated hardware passes as genuine, marked as simulated. */
  readonly insecureAcceptsSimulation: boolean;
  readonly verify: (evidence: EvidenceToVerify) => Promise<Verdict>;
}

/** The public side of a simulated vendor: `SimulatedVendor` of @ensconce/simulation has it. */
export interface InsecureSimulatedVendor {
  /** DER. */
  readonly rootCertificate: Uint8Array;
  readonly collateral: () => Promise<IntelCollateral>;
}

export interface VerifierOptions {
  /** A vendor that protects nothing, to be believed like a real one. For development only. */
  readonly insecureSimulatedVendor?: InsecureSimulatedVendor | undefined;
}

/** A verifier with its own memory of what it verified. */
export function evidenceVerifier(options: VerifierOptions): EvidenceVerifier {
  const cache = new VerificationCache();
  const vendor = options.insecureSimulatedVendor;
  return {
    insecureAcceptsSimulation: vendor !== undefined,
    async verify({ evidence, now }) {
      return verifySgxQuote(evidence, await vendor?.collateral(), {
        crypto: nodeCrypto,
        at: now,
        cache,
        ...(vendor === undefined ? {} : { insecureSimulatedRoots: [vendor.rootCertificate] }),
      });
    },
  };
}
