import { timingSafeEqual } from 'node:crypto';
import { fromHex } from '@ensconce/base/bytes';
import type { WatermarkStore } from '@ensconce/collateral/watermarks';
import { requestEvidence, type LasAddress } from '@ensconce/las-client/evidence';
import { platformsOf } from '@ensconce/verify/identity';
import { CasError } from '../errors.ts';
import type { Random } from '../store/record-cipher.ts';
import type { EvidenceVerifier } from './verifier.ts';

export interface OwnPlatformOptions {
  /** Where CAS gets evidence about itself. */
  readonly las: LasAddress | undefined;
  readonly verifier: EvidenceVerifier;
  readonly watermarks: WatermarkStore;
  readonly now: () => Date;
  readonly random: Random;
}

/** Ids of the machine that CAS runs on, as the hardware's vendor certifies them; empty where CAS cannot prove any. */
export type OwnPlatforms = () => Promise<readonly string[]>;

/** CAS does not move to another machine while it runs, so it asks for evidence about itself once. */
export function ownPlatforms(options: OwnPlatformOptions): OwnPlatforms {
  let known: Promise<readonly string[]> | undefined;
  return () => {
    known ??= ask(options).catch((cause: unknown) => {
      known = undefined;
      throw new CasError(
        'CAS_EVIDENCE_UNAVAILABLE',
        'evidence of CAS about itself expected, none to be had',
        {
          cause,
        },
      );
    });
    return known;
  };
}

async function ask({
  las,
  verifier,
  watermarks,
  now,
  random,
}: OwnPlatformOptions): Promise<readonly string[]> {
  if (las === undefined) return [];
  const asked = random(64);
  const { format, evidence } = await requestEvidence(las, asked);
  const { outcome, claims } = await verifier.verify({ format, evidence, now: now(), watermarks });
  if (outcome !== 'genuine' || claims === null || !timingSafeEqual(fromHex(claims.reportData, 64), asked)) {
    throw new Error('own evidence: genuine evidence over fresh report data expected, something else found');
  }
  return platformsOf(claims);
}
