import assert from 'node:assert/strict';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { issueAmdCollateral } from '@ensconce/simulation/amd/collateral';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { SimulatedVendor, upToDateTcb } from '@ensconce/simulation/vendor';
import { appraise, type Appraisal } from '@ensconce/verify/appraisal';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import { verifyEvidence } from '@ensconce/verify/verify';
import type { MadeEvidence } from '../src/source.ts';
import { amd, at, chip, intel, platform } from './guest.ts';

const day = 86_400_000;
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 30 * day) };
export const vendor = new SimulatedVendor(intel, platform, () => at);

async function intelPool(tee: 'sgx' | 'tdx'): Promise<CollateralPool> {
  const pool = new CollateralPool();
  pool.addIntel(
    await issueIntelCollateral(intel, {
      dates,
      tcb: upToDateTcb(platform, tee, at),
      ca: 'platform',
      crlNumber: 1,
    }),
  );
  return pool;
}

/** The revocation list alone: the chip's certificates must come with the evidence. */
async function amdPool(certificates: Uint8Array | undefined): Promise<CollateralPool> {
  const pool = new CollateralPool();
  const { revocationLists } = await issueAmdCollateral(amd, chip, { ...dates, number: 1 });
  for (const list of revocationLists) pool.add(list);
  if (certificates !== undefined) assert.equal(pool.add(certificates), true);
  return pool;
}

/** Holds evidence against a policy that wants this report data, with the project's own verifier. */
export async function judge(
  evidence: MadeEvidence,
  policy: Pick<AppraisalPolicy, 'sgx' | 'tdx' | 'snp' | 'reportData'>,
): Promise<Appraisal> {
  const { format, bytes, certificates } = evidence;
  const pool = format === 'snp' ? await amdPool(certificates) : await intelPool(format);
  const verdict = await verifyEvidence(bytes, pool, {
    crypto: nodeCrypto,
    at,
    insecureSimulatedRoots: [vendor.rootCertificate, amd.ark.certificate],
  });
  assert.ok(verdict !== undefined);
  assert.equal(verdict.tee, format);
  return appraise(verdict, { acceptSimulation: true, tolerate: [], ignoreAdvisories: [], ...policy });
}
