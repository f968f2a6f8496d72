import { readSession } from '@ensconce/api/client';
import { writeResult } from '../output/result.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

export const sessionRead: Verb = {
  name: 'session read',
  summary: 'show a session as it stands at CAS, without the values of secrets',
  examples: [
    'ensconce session read team/app',
    'ensconce session read team/app --hash HEX --with-secrets > old.yml',
  ],
  define(command, io) {
    command
      .argument('<name>', 'name of the session')
      .option('--hash <hex>', 'the version with this hash instead of the present one')
      .option('--with-secrets', 'as it was uploaded, secret values included; CAS notes that in its audit log')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(
        async (name: string, options: { hash?: string; cas?: string; withSecrets?: true; json?: true }) => {
          const answer = await withCas(io, options.cas, (cas) =>
            readSession(cas, name, {
              hash: options.hash,
              ...(options.withSecrets === true ? { secrets: 'shown' } : {}),
            }),
          );
          writeResult(io, options, answer, () => answer.session.trimEnd());
        },
      );
  },
};
