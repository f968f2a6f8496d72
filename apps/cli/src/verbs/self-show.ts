import { X509Certificate } from 'node:crypto';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { writeResult } from '../output/result.ts';
import { loadIdentity, statePath } from '../state/cli-state.ts';
import type { Verb } from '../verb.ts';

export const selfShow: Verb = {
  name: 'self show',
  summary: 'show the identity of this command; make it at first use',
  examples: ['ensconce self show', 'ensconce self show --json'],
  define(command, io) {
    command.option('--json', 'write JSON').action(async (options: { json?: true }) => {
      const identity = await loadIdentity(io);
      const keyHash = keyHashOfCertificate(identity.certificate);
      const { subject, validFrom } = new X509Certificate(identity.certificate);
      writeResult(io, options, { keyHash, subject, validFrom, state: statePath(io) }, () =>
        [`key hash: ${keyHash}`, `since:    ${validFrom}`, `state:    ${statePath(io)}`].join('\n'),
      );
    });
  },
};
