import { keyHashOfIdentity } from '@ensconce/policy/key-hash';
import { writeResult } from '../output/result.ts';
import { attestedCasOf } from '../state/attested-cas.ts';
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
      .option('--json', 'write JSON')
      .action((options: { cas?: string; json?: true }) => {
        const { name, entry } = attestedCasOf(io, options.cas);
        const keyHash = keyHashOfIdentity(entry.identity);
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
