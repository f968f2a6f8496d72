import { writeResult } from '../output/result.ts';
import { describePending, identityOf, pendingOf } from '../sign/pending.ts';
import { fromKey, readPrivateKey } from '../sign/signer.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

export const sessionApprovals: Verb = {
  name: 'session approvals',
  summary: 'show what waits for signatures, updates and deletion: what it changes, who has yet to sign',
  examples: ['ensconce session approvals team/app', 'ensconce session approvals team/app --key board-1.pem'],
  define(command, io) {
    command
      .argument('<name>', 'name of the session')
      .option('--key <file>', 'ask as the owner of this signing key instead of as this identity')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (name: string, options: { key?: string; cas?: string; json?: true }) => {
        const as =
          options.key === undefined ? undefined : await identityOf(io, fromKey(readPrivateKey(options.key)));
        const updates = await withCas(io, options.cas, (cas) => pendingOf(cas, name), as);
        writeResult(io, options, { updates: [...updates] }, () =>
          updates.length === 0 ? 'nothing waits for signatures' : updates.map(describePending).join('\n'),
        );
      });
  },
};
