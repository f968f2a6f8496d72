import { call } from '@ensconce/api/call';
import { routes } from '@ensconce/api/routes';
import { fromHex } from '@ensconce/base/bytes';
import { keyHashOfDigest } from '@ensconce/policy/key-hash';
import { writeResult } from '../output/result.ts';
import { attestedCasOf, withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

export const casShowIdentification: Verb = {
  name: 'cas show-identification',
  summary: 'show what an attested CAS is known by',
  examples: [
    'ensconce cas show-identification',
    'ensconce cas show-identification -c cas.example.org:8081 --json',
  ],
  define(command, io) {
    command
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--session-encryption-key', 'show the public key for which sessions are encrypted; asks CAS')
      .option('--json', 'write JSON')
      .action(async (options: { cas?: string; sessionEncryptionKey?: true; json?: true }) => {
        if (options.sessionEncryptionKey === true) {
          const answer = await withCas(io, options.cas, (cas) => call(cas, routes.readEncryptionKey, {}));
          writeResult(io, options, answer, () => answer.key.trimEnd());
          return;
        }
        const { name, entry } = attestedCasOf(io, options.cas);
        const keyHash = keyHashOfDigest(fromHex(entry.identity));
        writeResult(io, options, { address: name, keyHash, ...entry }, () =>
          [
            `address:   ${name}`,
            `identity:  ${entry.identity}`,
            `key hash:  ${keyHash}`,
            `mrenclave: ${entry.mrenclave}`,
            `mrsigner:  ${entry.mrsigner}`,
            `hardware:  ${entry.simulated ? 'SIMULATED' : 'real'}`,
            `attested:  ${entry.attested}`,
          ].join('\n'),
        );
      });
  },
};
