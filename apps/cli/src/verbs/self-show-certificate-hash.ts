import { createHash, X509Certificate } from 'node:crypto';
import { writeResult } from '../output/result.ts';
import { loadIdentity } from '../state/cli-state.ts';
import type { Verb } from '../verb.ts';

export const selfShowCertificateHash: Verb = {
  name: 'self show-certificate-hash',
  summary: 'show the SHA-256 of the certificate of this identity; policies name its key, by show-key-hash',
  examples: ['ensconce self show-certificate-hash'],
  define(command, io) {
    command.option('--json', 'write JSON').action(async (options: { json?: true }) => {
      const { raw } = new X509Certificate((await loadIdentity(io)).certificate);
      const certificateHash = createHash('sha256').update(raw).digest('hex');
      writeResult(io, options, { certificateHash }, () => certificateHash);
    });
  },
};
