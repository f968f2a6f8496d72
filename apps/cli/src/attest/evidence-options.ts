import type { Command } from 'commander';
import { evidenceVerifier, type EvidenceVerifier } from '@ensconce/cas/verifier';
import type { WatermarkStore } from '@ensconce/collateral/watermarks';
import { causeChain } from '@ensconce/base/errors';
import { watermarkFile } from '@ensconce/evidence-report/command';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import type { Toleration } from '@ensconce/verify/policy';
import type { Io } from '../io.ts';
import { collateralCache } from '../state/collateral-cache.ts';
import { collateralSource } from '../state/collateral-source.ts';
import type { CasExpectation } from './judge-cas.ts';

/** Options of every verb that judges evidence about CAS. */
export interface EvidenceOptions {
  readonly acceptConfigurationNeeded?: true;
  readonly acceptGroupOutOfDate?: true;
  readonly acceptSwHardeningNeeded?: true;
  readonly ignoreAdvisory?: readonly string[];
  readonly onlyForTestingDebug?: true;
  readonly pccs?: string;
  readonly collateral?: readonly string[];
  readonly insecureAcceptSimulation?: string;
}

export function addEvidenceOptions(command: Command): Command {
  return command
    .option(
      '-C, --accept-configuration-needed',
      'accept a platform whose configuration is not as recommended',
    )
    .option('-G, --accept-group-out-of-date', 'accept a platform with old firmware or microcode')
    .option('-S, --accept-sw-hardening-needed', 'accept a platform that needs hardening in software')
    .option('--ignore-advisory <id...>', 'advisories that may apply to the platform')
    .option('--only-for-testing-debug', 'accept a debug enclave: the host can read its memory')
    .option('--pccs <url>', "a PCCS to fetch collateral from; by default Intel's own service")
    .option('--collateral <path...>', 'files and folders with collateral; with them nothing is fetched')
    .option(
      '--insecure-accept-simulation <dir>',
      'believe the SIMULATED vendor kept in this folder: it protects nothing',
    );
}

/** What of the platform is tolerated. */
export function tolerated(options: EvidenceOptions): Omit<CasExpectation, 'sgx'> {
  const tolerate: Toleration[] = [
    ...(options.acceptConfigurationNeeded ? (['insecure-configuration'] as const) : []),
    ...(options.acceptGroupOutOfDate ? (['outdated-tcb'] as const) : []),
    ...(options.acceptSwHardeningNeeded ? (['software-hardening-needed'] as const) : []),
    ...(options.onlyForTestingDebug ? (['debug-mode'] as const) : []),
  ];
  return { tolerate, ignoreAdvisories: options.ignoreAdvisory ?? [] };
}

/** What judges the evidence, with what was seen of collateral before. */
export async function verifierFor(
  io: Io,
  options: EvidenceOptions,
): Promise<{ readonly verifier: EvidenceVerifier; readonly watermarks: WatermarkStore }> {
  const folder = options.insecureAcceptSimulation;
  const vendor = folder === undefined ? undefined : await openSimulatedVendor({ folder, now: io.now });
  const cache = collateralCache(io);
  const verifier = evidenceVerifier({
    collateral: collateralSource(io, cache, options),
    insecureSimulatedVendor: vendor,
    onFailure: (_platform, error) =>
      io.stderr(`warning: collateral could not be had: ${causeChain(error).join(': ')}\n`),
  });
  return { verifier, watermarks: watermarkFile(cache) };
}
