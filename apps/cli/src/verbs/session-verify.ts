import { readSession } from '@ensconce/api/client';
import { withCreator, withPredecessor } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import { CliError } from '../errors.ts';
import { writeResult } from '../output/result.ts';
import { withCas } from '../state/attested-cas.ts';
import { loadSession, withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionVerify: Verb = {
  name: 'session verify',
  summary: 'check that CAS holds exactly the session in a file, and show its hash',
  examples: ['ensconce session verify session.yml -e NS=team'],
  define(command, io) {
    withTemplateOptions(command.argument('<file>', 'session file, - for standard input'))
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (file: string, options: TemplateOptions & { json?: true; cas?: string }) => {
        const { session } = loadSession(io, file, options);
        const present = await withCas(io, options.cas, (cas) => readSession(cas, session.name));
        const placed =
          session.predecessor === undefined
            ? withPredecessor(session, present.predecessor ?? undefined)
            : session;
        const expected = sessionHash(withCreator(placed, present.creator));
        if (expected !== present.hash) {
          throw new CliError(
            'CLI_SESSION',
            `session '${session.name}': hash ${expected} expected, ${present.hash} found`,
            {
              hint: 'ensconce session read shows what CAS has',
            },
          );
        }
        writeResult(io, options, { name: session.name, hash: expected }, () => expected);
      });
  },
};
