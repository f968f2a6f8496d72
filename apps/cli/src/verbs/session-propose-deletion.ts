import { call } from '@ensconce/api/call';
import { readHistory } from '@ensconce/api/client';
import { routes } from '@ensconce/api/routes';
import { writeResult } from '../output/result.ts';
import { span } from '../sign/scope.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly hash?: string;
  readonly cas?: string;
  readonly json?: true;
  readonly lifetime: number;
}

export const sessionProposeDeletion: Verb = {
  name: 'session propose-deletion',
  summary: 'let CAS collect the signatures that the deletion of a session needs, and show its hash',
  examples: [
    'ensconce session propose-deletion team/app',
    'ensconce session propose-deletion team/app --hash HEX --lifetime 2d --json',
  ],
  define(command, io) {
    command
      .argument('<name>', 'name of the session')
      .option('--hash <hex>', 'only if this is the present version; by default whichever is')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--lifetime <time>', 'when CAS forgets it: 30m, 12h, 7d; at most 30d', span, span('7d'))
      .option('--json', 'write JSON')
      .addHelpText('after', '\nThose who must sign use ensconce session approvals, approve and veto.')
      .action(async (name: string, options: Options) => {
        const answer = await withCas(io, options.cas, async (cas) => {
          const hash = options.hash ?? (await readHistory(cas, name, { limit: 1 })).versions[0]?.hash ?? '';
          return call(cas, routes.proposeDeletion, {
            parameters: { name },
            body: { hash, lifetime: options.lifetime },
          });
        });
        writeResult(io, options, answer, () => answer.hash);
      });
  },
};
