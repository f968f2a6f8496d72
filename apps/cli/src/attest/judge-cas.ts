import type { WatermarkStore } from '@ensconce/collateral/watermarks';
import type { EvidenceVerifier } from '@ensconce/cas/verifier';
import type { CasConnection } from '@ensconce/api/connection';
import type { AttestAnswer } from '@ensconce/api/schema';
import { appraise } from '@ensconce/verify/appraisal';
import type { Toleration } from '@ensconce/verify/policy';
import type { SgxIdentity } from '@ensconce/verify/sgx/policy';
import { reportData, type Binding } from '@ensconce/wire/binding';
import { CliError } from '../errors.ts';
import type { AttestedCas } from '../state/cli-state.ts';

/** Which code and which state of the hardware is accepted. */
export interface CasExpectation {
  /** Not empty. */
  readonly sgx: readonly SgxIdentity[];
  readonly tolerate: readonly Toleration[];
  readonly ignoreAdvisories: readonly string[];
}

export interface CasToJudge {
  /** The address, for messages. */
  readonly name: string;
  /** The connection that the evidence came over. */
  readonly connection: CasConnection;
  /** What this side asked with, 32 bytes. */
  readonly nonce: Uint8Array;
  readonly answer: AttestAnswer;
  readonly verifier: EvidenceVerifier;
  readonly watermarks: WatermarkStore;
  readonly expectation: CasExpectation;
  /** What evidence about this exchange must hold; by default what says that this is CAS. */
  readonly reportDataOf?: (binding: Binding) => Uint8Array;
  readonly now: Date;
}

/** Verifies the evidence of a CAS for this very connection and holds it against what is expected; throws otherwise. */
export async function judgeCas(cas: CasToJudge): Promise<AttestedCas> {
  const { connection, verifier, expectation, now } = cas;
  const verdict = await verifier.verify({
    format: cas.answer.format,
    evidence: Buffer.from(cas.answer.evidence, 'base64'),
    now,
    watermarks: cas.watermarks,
  });
  const appraisal = appraise(verdict, {
    acceptSimulation: verifier.insecureAcceptsSimulation,
    tolerate: expectation.tolerate,
    ignoreAdvisories: expectation.ignoreAdvisories,
    sgx: expectation.sgx,
    reportData: (cas.reportDataOf ?? reportData)({
      role: 'cas-to-client',
      publicKey: connection.publicKey,
      exporter: connection.exporter,
      nonce: cas.nonce,
      configId: '',
      casIdentity: connection.publicKey,
    }),
  });
  const { claims } = verdict;
  if (!appraisal.accepted || claims?.tee !== 'sgx') {
    const [failure] = appraisal.failures;
    throw new CliError(
      'CLI_CAS_UNTRUSTED',
      failure === undefined
        ? `CAS ${cas.name}: evidence that is accepted expected`
        : `CAS ${cas.name}: ${failure.name}: ${failure.expected} expected, ${failure.found} found`,
      {
        hint:
          failure?.name === 'code is accepted'
            ? 'ask whoever releases this CAS for its measurement; what was found is what anybody could run there'
            : failure?.hint,
      },
    );
  }
  return {
    identity: connection.identity,
    mrenclave: claims.mrenclave,
    mrsigner: claims.mrsigner,
    simulated: verdict.simulated,
    tcbStatus: verdict.tcbStatus,
    attested: now.toISOString(),
  };
}
