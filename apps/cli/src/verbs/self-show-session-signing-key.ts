import { createPublicKey } from 'node:crypto';
import { keyHashOfPublicKey } from '@ensconce/policy/key-hash';
import { writeResult } from '../output/result.ts';
import { loadSigningKey } from '../state/cli-state.ts';
import type { Verb } from '../verb.ts';

export const selfShowSessionSigningKey: Verb = {
  name: 'self show-session-signing-key',
  summary: 'show the public key with which this command signs sessions, as signer in access_policy takes it',
  examples: ['ensconce self show-session-signing-key', 'ensconce self show-session-signing-key --json'],
  define(command, io) {
    command.option('--json', 'write JSON').action(async (options: { json?: true }) => {
      const key = createPublicKey(await loadSigningKey(io)).export({ type: 'spki', format: 'pem' });
      writeResult(io, options, { signer: key, keyHash: keyHashOfPublicKey(key) }, () => key.trimEnd());
    });
  },
};
