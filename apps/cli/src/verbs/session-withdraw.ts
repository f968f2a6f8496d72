import { call } from '@ensconce/api/call';
import { routes } from '@ensconce/api/routes';
import { writeResult } from '../output/result.ts';
import { choose, pendingOf } from '../sign/pending.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

export const sessionWithdraw: Verb = {
  name: 'session withdraw',
  summary: 'take back an update or deletion that this identity proposed',
  examples: ['ensconce session withdraw team/app', 'ensconce session withdraw team/app 3f2a'],
  define(command, io) {
    command
      .argument('<name>', 'name of the session')
      .argument('[hash]', 'which update or deletion, or how its hash begins; not needed where one waits')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (name: string, hash: string | undefined, options: { cas?: string; json?: true }) => {
        const withdrawn = await withCas(io, options.cas, async (cas) => {
          const update = choose(name, await pendingOf(cas, name), hash);
          await call(cas, routes.withdrawSession, { parameters: { name }, query: { hash: update.hash } });
          return update.hash;
        });
        writeResult(io, options, { name, hash: withdrawn }, () => `withdrawn ${withdrawn}`);
      });
  },
};
