import { keyHashOfCertificate, keyHashOfPublicKey } from '@ensconce/policy/key-hash';
import { writeResult } from '../output/result.ts';
import { readSessionText } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const certShowKeyHash: Verb = {
  name: 'cert show-key-hash',
  summary: 'show the key hash of a certificate or public key, as access_policy and cas_key take it',
  examples: ['ensconce cert show-key-hash colleague.pem', 'ensconce cert show-key-hash - < colleague.pem'],
  define(command, io) {
    command
      .argument('<file>', 'PEM, one certificate or one public key; - for standard input')
      .option('--json', 'write JSON')
      .action((file: string, options: { json?: true }) => {
        const text = readSessionText(file);
        const keyHash = text.includes('BEGIN PUBLIC KEY')
          ? keyHashOfPublicKey(text)
          : keyHashOfCertificate(text);
        writeResult(io, options, { keyHash }, () => keyHash);
      });
  },
};
