import { readHistory } from '@ensconce/api/client';
import { creatorFromSigner } from '@ensconce/policy/key-hash';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { writeOutput } from '../output/write-file.ts';
import { readSignature, writeMessage, type ElsewhereOptions } from '../sign/elsewhere.ts';
import { identityOf } from '../sign/pending.ts';
import { scopeOf, withScopeOptions, type ScopeOptions } from '../sign/scope.ts';
import { loadSignedDeletion } from '../sign/signed-deletion.ts';
import { readText, signerOf, withSignerOptions, type Signer, type SignerOptions } from '../sign/signer.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

interface Options extends SignerOptions, ScopeOptions {
  readonly id?: string;
  readonly hash?: string;
  readonly signed?: string;
  readonly message?: string;
  readonly signature?: string;
  readonly output?: string;
}

export const sessionSignDeletion: Verb = {
  name: 'session sign-deletion',
  summary: 'sign that a session be deleted as it stands; a file that has signatures gets one more',
  examples: [
    'ensconce session sign-deletion team/app --key board-1.pem -o app.deletion',
    'ensconce session sign-deletion team/app --signed app.deletion --key board-2.pem -o app.deletion',
    'ensconce session sign-deletion team/app --id ID --hash HEX --cas-key KEYHASH -o app.deletion',
    'ensconce session sign-deletion team/app --signer board-3.pub --expires 2030-01-31T00:00:00Z --message message.bin',
    'ensconce session sign-deletion team/app --signer board-3.pub --expires 2030-01-31T00:00:00Z --signature signature.bin -o app.deletion',
  ],
  define(command, io) {
    withScopeOptions(withSignerOptions(command.argument('<name>', 'name of the session')))
      .option('--id <id>', 'its immutable id, with --hash: no CAS is asked then')
      .option('--hash <hex>', 'the version that is to be deleted; by default the present one')
      .option('--signed <file>', 'what others have signed already')
      .option('--message <file>', 'only write what the --signer has to sign elsewhere')
      .option(
        '--signature <file>',
        'what the --signer made of it: 64 bytes for Ed25519, DER for P-384 with SHA-384',
      )
      .option('-o, --output <file>', 'where the signed deletion goes; standard output if absent')
      .addHelpText('after', '\nensconce session delete --signed FILE takes the signed file.')
      .action(async (name: string, options: Options) => {
        const signer = signerElsewhere(options) ?? (await signerOf(io, options));
        const before = options.signed === undefined ? undefined : loadSignedDeletion(options.signed, name);
        const { id, hash } = before ?? (await subjectOf(io, name, options, signer));
        const deletion = { name, id, deletes: hash };
        if ('message' in signer) {
          writeMessage(io, deletion, signer, signer.message);
          return;
        }
        const signature =
          'sign' in signer
            ? signer.sign(deletion, scopeOf(io, options))
            : readSignature(io, deletion, signer, signer.signature);
        const others = (before?.signatures ?? []).filter((one) => one.signer !== signature.signer);
        const signed = {
          format: 'ensconce-signed-deletion/1',
          name,
          id,
          hash,
          signatures: [...others, signature],
        };
        writeOutput(io, options.output, `${JSON.stringify(signed, null, 2)}\n`);
        io.stderr(
          `deletion of version ${hash} signed by ${creatorFromSigner(signature.signer).keyHash} until ${signature.expires}\n`,
        );
      });
  },
};

type SignerElsewhere = ElsewhereOptions & ({ readonly message: string } | { readonly signature: string });

/** Where `--message` or `--signature` says that the signer is not here. Throws `CLI_USAGE` where both do, or it is not said who he is. */
function signerElsewhere(options: Options): SignerElsewhere | undefined {
  const { message, signature, key, externalSigner, signer } = options;
  if (message === undefined && signature === undefined) return undefined;
  if (signer === undefined || key !== undefined || externalSigner !== undefined)
    throw new CliError(
      'CLI_USAGE',
      '--message, --signature: --signer expected beside it, as who signs elsewhere, and no other signer',
    );
  const who = { ...options, publicKey: readText(signer) };
  if (signature === undefined && message !== undefined) return { ...who, message };
  if (signature !== undefined && message === undefined) return { ...who, signature };
  throw new CliError('CLI_USAGE', '--message or --signature expected, both found');
}

/** What is to be deleted: as the options say, or as CAS has it. */
async function subjectOf(
  io: Io,
  name: string,
  options: Options,
  signer: Signer | SignerElsewhere,
): Promise<{ readonly id: string; readonly hash: string }> {
  const { id, hash } = options;
  if (id !== undefined && hash !== undefined) {
    if (/^[0-9a-f]{32}$/.test(id) && /^[0-9a-f]{64}$/.test(hash)) return { id, hash };
    throw new CliError('CLI_USAGE', '--id, --hash: 32 and 64 lower-case hexadecimal digits expected');
  }
  if (id !== undefined) throw new CliError('CLI_USAGE', '--hash expected beside --id, none found');
  const history = await withCas(
    io,
    options.cas,
    (cas) => readHistory(cas, name, { limit: 1 }),
    'sign' in signer ? await identityOf(io, signer) : undefined,
  );
  const present = history.versions[0];
  if (present !== undefined && present.deleted === null && (hash ?? present.hash) === present.hash)
    return { id: history.id, hash: present.hash };
  throw new CliError(
    'CLI_SESSION',
    `session '${name}': version ${hash ?? 'that is present'} expected, ${present?.deleted === null ? present.hash : 'a deleted one'} found`,
  );
}
