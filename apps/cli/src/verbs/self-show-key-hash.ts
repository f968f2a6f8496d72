import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { writeResult } from '../output/result.ts';
import { loadIdentity } from '../state/cli-state.ts';
import type { Verb } from '../verb.ts';

export const selfShowKeyHash: Verb = {
  name: 'self show-key-hash',
  summary: 'show the key hash of this identity, as access_policy takes it',
  examples: ['ensconce self show-key-hash'],
  define(command, io) {
    command.option('--json', 'write JSON').action(async (options: { json?: true }) => {
      const keyHash = keyHashOfCertificate((await loadIdentity(io)).certificate);
      writeResult(io, options, { keyHash }, () => keyHash);
    });
  },
};
