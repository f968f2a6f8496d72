import { writeResult } from '../output/result.ts';
import { loadIdentity } from '../state/cli-state.ts';
import type { Verb } from '../verb.ts';

export const selfShowCertificate: Verb = {
  name: 'self show-certificate',
  summary: 'show the certificate of this identity, PEM',
  examples: ['ensconce self show-certificate > me.pem'],
  define(command, io) {
    command.option('--json', 'write JSON').action(async (options: { json?: true }) => {
      const { certificate } = await loadIdentity(io);
      writeResult(io, options, { certificate }, () => certificate.trimEnd());
    });
  },
};
