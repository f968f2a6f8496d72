import { runVerify } from '@ensconce/evidence-report/command';
import { finish } from '../output/finish.ts';
import { collateralCache } from '../state/collateral-cache.ts';
import { templateVariables, withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

interface Options extends TemplateOptions {
  readonly collateral: readonly string[];
  readonly at?: string;
  readonly policy?: string;
  readonly service?: string;
  readonly casIdentity?: string;
  readonly allowTrailing?: true;
  readonly tpmRoot: readonly string[];
  readonly insecureSimulatedRoot: readonly string[];
  readonly cache?: string;
  readonly json?: true;
}

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

export const evidenceVerify: Verb = {
  name: 'evidence verify',
  summary: 'judge evidence of a TEE, and say why',
  examples: [
    'ensconce evidence verify quote.bin --collateral ./collateral',
    'ensconce evidence verify quote.bin --collateral bundle.json --at 2025-06-20T00:00:00Z --policy policy.yml --json',
    'ensconce evidence verify quote.bin --collateral bundle.json --policy session.yml --service app -e NS=team',
  ],
  exitCodes: `Exit codes:
  0    genuine and accepted
  2    wrong usage
  10   genuine, not accepted
  11   not genuine
  12   could not tell: collateral missing or outside its dates`,
  define(command, io) {
    withTemplateOptions(command)
      .argument(
        '<file>',
        'evidence: bytes, hexadecimal, base64, an RA-TLS certificate, or JSON as tools write it',
      )
      .option('--collateral <path>', 'folder or file with collateral; may be repeated', collect, [])
      .option(
        '--at <time>',
        'a what-if: judge as of this time, ISO 8601 or seconds since 1970; by default now',
      )
      .option('--policy <file>', 'what is accepted, or a session; without it the platform alone is judged')
      .option('--service <name>', 'the service of the session, where it has several')
      .option('--cas-identity <hex>', 'the CAS that guests must have been launched for')
      .option('--allow-trailing', 'ignore bytes behind the evidence')
      .option(
        '--tpm-root <file>',
        'root certificate of a TPM vendor that you trust; may be repeated',
        collect,
        [],
      )
      .option(
        '--insecure-simulated-root <file>',
        'believe this SIMULATED vendor; may be repeated',
        collect,
        [],
      )
      .option(
        '--cache <dir>',
        'folder that keeps what was seen of collateral; by default ~/.cache/ensconce/collateral',
      )
      .option('--json', 'write JSON')
      .action(async (file: string, options: Options) => {
        finish(
          io,
          await runVerify(
            {
              ...options,
              file,
              variables: templateVariables(io, options),
              json: options.json === true,
              allowTrailing: options.allowTrailing === true,
              cache: options.cache ?? collateralCache(io),
            },
            io.now(),
          ),
        );
      });
  },
};
