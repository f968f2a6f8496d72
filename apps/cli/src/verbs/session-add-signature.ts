import { creatorFromSigner } from '@ensconce/policy/key-hash';
import { versionOf } from '@ensconce/policy/signature';
import { writeOutput } from '../output/write-file.ts';
import { readSignature } from '../sign/elsewhere.ts';
import { placeCreator } from '../sign/place.ts';
import { withScopeOptions, type ScopeOptions } from '../sign/scope.ts';
import { formatSigned, loadSignedFile } from '../sign/signed-file.ts';
import { readText } from '../sign/signer.ts';
import { withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

interface Options extends TemplateOptions, ScopeOptions {
  readonly signer: string;
  readonly signature: string;
  readonly output?: string;
}

export const sessionAddSignature: Verb = {
  name: 'session add-signature',
  summary: 'put a signature that was made elsewhere beside the session that it covers',
  examples: [
    'ensconce session add-signature session.yml --signer board-1.pub --expires 2030-01-31T00:00:00Z --signature signature.bin -o session.signed',
  ],
  define(command, io) {
    const signing = withTemplateOptions(
      command.argument('<file>', 'session file, signed or not; - for standard input'),
    );
    withScopeOptions(signing)
      .requiredOption('--signer <file>', 'public key of the signer, PEM')
      .requiredOption('--signature <file>', 'the signature: 64 bytes for Ed25519, DER for P-384 with SHA-384')
      .option('-o, --output <file>', 'where the signed session goes; standard output if absent')
      .action((name: string, options: Options) => {
        const publicKey = readText(options.signer);
        const file = placeCreator(loadSignedFile(io, name, options), creatorFromSigner(publicKey));
        const elsewhere = { ...options, publicKey };
        const signature = readSignature(io, versionOf(file.session), elsewhere, options.signature);
        const others = file.signatures.filter((one) => one.signer !== signature.signer);
        writeOutput(io, options.output, formatSigned(file.text, [...others, signature]));
      });
  },
};
