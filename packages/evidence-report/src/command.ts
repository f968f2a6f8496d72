import { join } from 'node:path';
import { WatermarkFile } from '@ensconce/collateral/watermark-file';
import { Watermarks } from '@ensconce/collateral/watermarks';
import { parseTime } from './time.ts';
import { readCollateral, readEvidence, readPolicyText, readRoots } from './files.ts';
import { readPolicy, type PolicyOptions } from './policy.ts';
import { showCommand } from './show.ts';
import { verifyCommand } from './verify.ts';
import type { CommandResult } from './exit-code.ts';

/** Options of `ensconce evidence verify FILE`, as the command line has them. */
export interface VerifyOptions extends PolicyOptions {
  readonly file: string;
  /** Files and folders; none for evidence that needs none. */
  readonly collateral: readonly string[];
  /** ISO 8601 or seconds since 1970; now without it. */
  readonly at?: string | undefined;
  readonly json: boolean;
  /** Lets bytes behind the end of the evidence pass: some tools pad it. */
  readonly allowTrailing: boolean;
  /** Files with root certificates of TPM vendors: none is built in. */
  readonly tpmRoot?: readonly string[] | undefined;
  /** Files with root certificates of simulated vendors to believe: for tests only. */
  readonly insecureSimulatedRoot: readonly string[];
  /** Folder of the collateral cache, where it is kept what was seen of collateral so far. */
  readonly cache: string;
}

/** Not one of the names that the cache gives to answers. */
const watermarkName = 'watermarks.json';

/** What was seen of collateral, beside the cache. */
export function watermarkFile(cache: string): WatermarkFile {
  return new WatermarkFile(join(cache, watermarkName));
}

export function openWatermarks(
  cache: string,
  insecureSimulatedRoots: readonly Uint8Array[] = [],
): Watermarks {
  return new Watermarks(watermarkFile(cache), insecureSimulatedRoots);
}

/**
 * `ensconce evidence verify`: exit code 0 accepted, 10 genuine but not accepted, 11 not genuine, 12 could not tell. Throws
 * `EnsconceError` where a file or option cannot be read: usage, exit code 2.
 */
export async function runVerify(options: VerifyOptions, now: Date): Promise<CommandResult> {
  const roots = readRoots(options.insecureSimulatedRoot);
  const { policy } = options;
  const read = policy === undefined ? undefined : readPolicy(readPolicyText(policy), policy, options);
  return verifyCommand({
    evidence: readEvidence(options.file),
    pool: readCollateral(options.collateral),
    at: options.at === undefined ? now : parseTime(options.at),
    policy: read?.policy,
    notes: read?.notes ?? [],
    json: options.json,
    allowTrailing: options.allowTrailing,
    tpmRoots: readRoots(options.tpmRoot ?? []),
    insecureSimulatedRoots: roots,
    // Another time than now is a what-if: collateral of then is older by rights, and that of later proves nothing about now.
    watermarks: options.at === undefined ? openWatermarks(options.cache, roots) : undefined,
  });
}

/** `ensconce evidence show FILE`. */
export function runShow(options: { readonly file: string; readonly json: boolean }): CommandResult {
  return showCommand(readEvidence(options.file), options.json);
}
