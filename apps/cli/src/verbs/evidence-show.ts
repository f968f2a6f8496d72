import { readEvidence } from '@ensconce/evidence-report/files';
import { showCommand } from '@ensconce/evidence-report/show';
import { ExitStatus } from '../exit-codes.ts';
import type { Verb } from '../verb.ts';

export const evidenceShow: Verb = {
  name: 'evidence show',
  summary: 'show every field of evidence, unverified',
  examples: ['ensconce evidence show quote.bin', 'ensconce evidence show report.bin --json'],
  exitCodes: `Exit codes:
  0    shown
  2    wrong usage
  11   not evidence that can be read`,
  define(command, io) {
    command
      .argument('<file>', 'evidence: bytes, hexadecimal or base64')
      .option('--json', 'write JSON')
      .action((file: string, options: { json?: true }) => {
        const result = showCommand(readEvidence(file), options.json === true);
        io.stdout(result.stdout);
        io.stderr(result.stderr);
        if (result.exitCode !== 0) throw new ExitStatus(result.exitCode);
      });
  },
};
