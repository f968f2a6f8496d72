/** What runs in the page: the verifier as it is, with WebCrypto. */
import { appraise } from '@ensconce/verify/appraisal';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { VerificationCache } from '@ensconce/verify/cache';
import { verifyEvidence } from '@ensconce/verify/verify';
import { webCrypto } from '@ensconce/crypto-web/provider';

export interface PageRequest {
  /** Base64. */
  readonly evidence: string;
  /** Base64 files. */
  readonly collateral: readonly string[];
  /** Base64 DER. */
  readonly roots: readonly string[];
  readonly at: number;
}

export interface PageAnswer {
  readonly decision: string;
  readonly tcbStatus: string | null;
  readonly failures: readonly string[];
}

async function judge(request: PageRequest): Promise<PageAnswer> {
  const pool = new CollateralPool();
  for (const file of request.collateral) pool.add(Uint8Array.fromBase64(file));
  const verdict = await verifyEvidence(Uint8Array.fromBase64(request.evidence), pool, {
    crypto: webCrypto,
    at: new Date(request.at),
    cache: new VerificationCache(),
    insecureSimulatedRoots: request.roots.map((root) => Uint8Array.fromBase64(root)),
  });
  if (verdict === undefined) return { decision: 'not recognised', tcbStatus: null, failures: [] };
  const { decision, failures } = appraise(verdict, {
    acceptSimulation: true,
    tolerate: [],
    ignoreAdvisories: [],
    sgx: 'not-checked',
    tdx: 'not-checked',
    snp: 'not-checked',
    nitro: 'not-checked',
    reportData: 'not-checked',
  });
  return {
    decision,
    tcbStatus: verdict.tcbStatus,
    failures: failures.map((check) => `${check.name}: ${check.found}`),
  };
}

Object.assign(globalThis, { judge });
