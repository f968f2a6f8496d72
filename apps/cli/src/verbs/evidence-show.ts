import { runShow } from '@ensconce/evidence-report/command';
import { finish } from '../output/finish.ts';
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
        finish(io, runShow({ file, json: options.json === true }));
      });
  },
};
