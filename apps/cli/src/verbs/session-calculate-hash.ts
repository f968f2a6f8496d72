import { creatorFromCertificate } from '@ensconce/policy/key-hash';
import { withCreator } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import { writeResult } from '../output/result.ts';
import { loadIdentity } from '../state/cli-state.ts';
import { loadSession, withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionCalculateHash: Verb = {
  name: 'session calculate-hash',
  summary: 'show the hash that a session file would have at CAS, without a server',
  examples: ['ensconce session calculate-hash session.yml --with-self-as-creator tls'],
  define(command, io) {
    withTemplateOptions(command.argument('<file>', 'session file, - for standard input'))
      .option('--with-self-as-creator <kind>', 'with this identity as creator: tls')
      .option('--json', 'write JSON')
      .action(
        async (file: string, options: TemplateOptions & { json?: true; withSelfAsCreator?: string }) => {
          const { session } = loadSession(io, file, options);
          if (options.withSelfAsCreator !== undefined && options.withSelfAsCreator !== 'tls') {
            command.error(`error: --with-self-as-creator: tls expected, ${options.withSelfAsCreator} found`);
          }
          const placed =
            options.withSelfAsCreator === undefined
              ? session
              : withCreator(session, creatorFromCertificate((await loadIdentity(io)).certificate));
          const hash = sessionHash(placed);
          writeResult(io, options, { name: session.name, hash }, () => hash);
        },
      );
  },
};
