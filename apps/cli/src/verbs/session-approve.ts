import { call } from '@ensconce/api/call';
import type { PendingUpdateView } from '@ensconce/api/approval';
import { routes } from '@ensconce/api/routes';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator, withPredecessor } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { say, withSayOptions, type SayOptions } from '../sign/say.ts';
import { loadSession, withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

interface Options extends SayOptions, TemplateOptions {
  readonly file?: string;
}

export const sessionApprove: Verb = {
  name: 'session approve',
  summary: 'sign a pending update or deletion; with the last signature that is needed it counts',
  examples: [
    'ensconce session approve team/app --key board-1.pem',
    'ensconce session approve team/app 3f2a --key board-1.pem --file session.yml',
  ],
  define(command, io) {
    withTemplateOptions(withSayOptions(command))
      .option('--file <file>', 'sign only what is exactly this session file, secret values included')
      .addHelpText(
        'after',
        '\nWithout --file the values of secrets in the update are taken as CAS, which was attested, has them.',
      )
      .action(async (name: string, hash: string | undefined, options: Options) => {
        await say(
          io,
          { name, hash, options },
          {
            check: (update) => checkFile(io, options, update),
            sign: (signer) => signer.sign,
            send: (cas, chosen, signature) =>
              call(cas, routes.approveSession, { parameters: { name }, body: { hash: chosen, signature } }),
          },
        );
      });
  },
};

function checkFile(io: Io, options: Options, update: PendingUpdateView): void {
  if (options.file === undefined) return;
  if (update.session === null) {
    throw new CliError('CLI_SESSION', `${options.file}: no file expected for a deletion, one found`, {
      hint: `session '${update.name}' is to be deleted: without --file that is signed`,
    });
  }
  const { session } = loadSession(io, options.file, options);
  const shown = parseSessionOrThrow(update.session);
  const creator = session.creator ?? shown.creator;
  const placed = withPredecessor(session, session.predecessor ?? update.predecessor ?? undefined);
  const found = sessionHash(creator === undefined ? placed : withCreator(placed, creator));
  if (found === update.hash) return;
  throw new CliError('CLI_SESSION', `${options.file}: hash ${update.hash} expected, ${found} found`, {
    hint: 'what was proposed is not this file; nothing was signed',
  });
}
