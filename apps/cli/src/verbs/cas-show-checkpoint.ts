import { verifierKey } from '@ensconce/audit/endorsement';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { writeResult } from '../output/result.ts';
import { withUnwatchedCas } from '../state/attested-cas.ts';
import { watchLog } from '../state/seen-log.ts';
import type { Verb } from '../verb.ts';

export const casShowCheckpoint: Verb = {
  name: 'cas show-checkpoint',
  summary: 'get the newest checkpoint of the audit log, proved to continue the one seen last',
  examples: ['ensconce cas show-checkpoint > checkpoint.note', 'ensconce cas show-checkpoint --key'],
  define(command, io) {
    command
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--key', 'show the key that tools for signed notes (C2SP) check it with instead')
      .option('--json', 'write JSON')
      .action(async (options: { cas?: string; key?: true; json?: true }) => {
        const { checkpoint, key } = await withUnwatchedCas(io, options.cas, (cas) => watchLog(io, cas));
        const verifier = await verifierKey(nodeCrypto, key);
        const value = {
          size: checkpoint.size,
          root: Buffer.from(checkpoint.root).toString('base64'),
          note: checkpoint.note,
          key: verifier,
        };
        writeResult(io, options, value, () => (options.key === true ? verifier : checkpoint.note.trimEnd()));
      });
  },
};
