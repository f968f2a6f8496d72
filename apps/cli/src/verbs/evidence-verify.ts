import { parse } from 'yaml';
import { parseTime } from '@ensconce/evidence-report/time';
import { readCollateral, readEvidence, readPolicyText, readRoots } from '@ensconce/evidence-report/files';
import { verifyCommand } from '@ensconce/evidence-report/verify';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import { parseAppraisalPolicy } from '@ensconce/verify/policy-file';
import { CliError } from '../errors.ts';
import { ExitStatus } from '../exit-codes.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly collateral: readonly string[];
  readonly at?: string;
  readonly policy?: string;
  readonly allowTrailing?: true;
  readonly insecureSimulatedRoot: readonly string[];
  readonly json?: true;
}

/** JSON is YAML, so one parser reads both; aliases would let a small file grow without end. */
function policyOf(file: string): AppraisalPolicy {
  let value: unknown;
  try {
    value = parse(readPolicyText(file), { maxAliasCount: 0 });
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a policy in YAML or JSON expected`, { cause });
  }
  return parseAppraisalPolicy(value);
}

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

export const evidenceVerify: Verb = {
  name: 'evidence verify',
  summary: 'judge evidence of a TEE, and say why',
  examples: [
    'ensconce evidence verify quote.bin --collateral ./collateral',
    'ensconce evidence verify quote.bin --collateral bundle.json --at 2025-06-20T00:00:00Z --policy policy.yml --json',
  ],
  exitCodes: `Exit codes:
  0    genuine and accepted
  2    wrong usage
  10   genuine, not accepted
  11   not genuine
  12   could not tell: collateral missing or outside its dates`,
  define(command, io) {
    command
      .argument('<file>', 'evidence: bytes, hexadecimal or base64')
      .option('--collateral <path>', 'folder or file with collateral; may be repeated', collect, [])
      .option('--at <time>', 'judge as of this time, ISO 8601 or seconds since 1970; by default now')
      .option('--policy <file>', 'what is accepted; without it the platform alone is judged')
      .option('--allow-trailing', 'ignore bytes behind the evidence')
      .option(
        '--insecure-simulated-root <file>',
        'believe this SIMULATED vendor; may be repeated',
        collect,
        [],
      )
      .option('--json', 'write JSON')
      .action(async (file: string, options: Options) => {
        const result = await verifyCommand({
          evidence: readEvidence(file),
          pool: readCollateral(options.collateral),
          at: options.at === undefined ? io.now() : parseTime(options.at),
          policy: options.policy === undefined ? undefined : policyOf(options.policy),
          json: options.json === true,
          allowTrailing: options.allowTrailing === true,
          insecureSimulatedRoots: readRoots(options.insecureSimulatedRoot),
        });
        io.stdout(result.stdout);
        io.stderr(result.stderr);
        if (result.exitCode !== 0) throw new ExitStatus(result.exitCode);
      });
  },
};
