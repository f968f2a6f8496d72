import { postSession } from '@ensconce/api/client';
import { CliError } from '../errors.ts';
import { writeResult } from '../output/result.ts';
import { readCarried, sendCarried } from '../sign/carried-file.ts';
import { withCas } from '../state/attested-cas.ts';
import { withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionCreate: Verb = {
  name: 'session create',
  summary: 'create a session at CAS and show its hash',
  examples: [
    'ensconce session create session.yml',
    'ensconce session create session.yml -e NS=team -c cas.example.org',
  ],
  define(command, io) {
    withTemplateOptions(
      command.argument('<file>', 'session file, also signed or encrypted; - for standard input'),
    )
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (file: string, options: TemplateOptions & { json?: true; cas?: string }) => {
        const carried = readCarried(io, file, options);
        if (carried.kind === 'plain' && carried.session.predecessor !== undefined) {
          throw new CliError('CLI_SESSION', `${file}: a new session expected, one with a predecessor found`, {
            hint: 'use ensconce session update',
          });
        }
        const answer = await withCas(io, options.cas, (cas) =>
          carried.kind === 'plain' ? postSession(cas, carried.text) : sendCarried(cas, carried),
        );
        writeResult(io, options, answer, () => answer.hash);
      });
  },
};
