import { deleteSession, postSignedDeletion, readHistory } from '@ensconce/api/client';
import { CliError } from '../errors.ts';
import { loadSignedDeletion } from '../sign/signed-deletion.ts';
import { writeResult } from '../output/result.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly hash?: string;
  readonly signed?: string;
  readonly yes?: true;
  readonly cas?: string;
  readonly json?: true;
}

export const sessionDelete: Verb = {
  name: 'session delete',
  summary: 'delete a session with all its versions and secrets, and show the hash of its tombstone',
  examples: [
    'ensconce session delete team/app --yes',
    'ensconce session delete team/app --hash HEX --yes --json',
    'ensconce session delete team/app --signed app.deletion --yes',
  ],
  define(command, io) {
    command
      .argument('<name>', 'name of the session')
      .option('--hash <hex>', 'only if this is the present version; by default whichever is')
      .option('--signed <file>', 'by the signatures in this file, of ensconce session sign-deletion')
      .option('--yes', 'the secrets are to be gone for good')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (name: string, options: Options) => {
        if (options.yes !== true) {
          throw new CliError(
            'CLI_USAGE',
            `session '${name}': --yes expected: its secrets will be gone for good`,
            {
              hint: 'the name stays yours: a session with the tombstone as predecessor brings it back, without the secrets',
            },
          );
        }
        if (options.signed !== undefined && options.hash !== undefined) {
          throw new CliError('CLI_USAGE', '--signed: no --hash beside it expected, one found', {
            hint: 'the signed file says which version it deletes',
          });
        }
        const signed = options.signed === undefined ? undefined : loadSignedDeletion(options.signed, name);
        const answer = await withCas(io, options.cas, async (cas) => {
          if (signed !== undefined) return postSignedDeletion(cas, signed);
          const hash = options.hash ?? (await readHistory(cas, name, { limit: 1 })).versions[0]?.hash ?? '';
          return deleteSession(cas, name, hash);
        });
        writeResult(io, options, answer, () => answer.hash);
      });
  },
};
