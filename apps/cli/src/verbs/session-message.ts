import { creatorFromSigner } from '@ensconce/policy/key-hash';
import { versionOf } from '@ensconce/policy/signature';
import { writeMessage } from '../sign/elsewhere.ts';
import { placeCreator } from '../sign/place.ts';
import { withScopeOptions, type ScopeOptions } from '../sign/scope.ts';
import { loadSignedFile } from '../sign/signed-file.ts';
import { readText } from '../sign/signer.ts';
import { withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionMessage: Verb = {
  name: 'session generate-message-to-be-signed',
  summary: 'write the bytes that a signer elsewhere has to sign, for session add-signature',
  examples: [
    'ensconce session generate-message-to-be-signed session.yml --signer board-1.pub --expires 2030-01-31T00:00:00Z -o message.bin',
  ],
  define(command, io) {
    const signing = withTemplateOptions(
      command.argument('<file>', 'session file, signed or not; - for standard input'),
    );
    withScopeOptions(signing)
      .requiredOption('--signer <file>', 'public key of the signer, PEM')
      .requiredOption('-o, --output <file>', 'where the message goes')
      .action(
        (name: string, options: TemplateOptions & ScopeOptions & { signer: string; output: string }) => {
          const publicKey = readText(options.signer);
          const signer = creatorFromSigner(publicKey);
          const { session } = placeCreator(loadSignedFile(io, name, options), signer);
          writeMessage(io, versionOf(session), { ...options, publicKey }, options.output);
        },
      );
  },
};
