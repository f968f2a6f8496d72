import { versionOf } from '@ensconce/policy/signature';
import { writeOutput } from '../output/write-file.ts';
import { placeCreator } from '../sign/place.ts';
import { scopeOf, withScopeOptions, type ScopeOptions } from '../sign/scope.ts';
import { formatSigned, loadSignedFile } from '../sign/signed-file.ts';
import { signerOf, withSignerOptions, type SignerOptions } from '../sign/signer.ts';
import { withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionSign: Verb = {
  name: 'session sign',
  summary: 'sign a session, without a server; a file that has signatures gets one more',
  examples: [
    'ensconce session sign session.yml --key board-1.pem -o session.signed',
    'ensconce session sign session.signed --key board-2.pem -o session.signed',
    'ensconce session sign session.yml --external-signer ./sign-with-token --signer token.pem -o session.signed',
  ],
  define(command, io) {
    const signing = withTemplateOptions(
      command.argument('<file>', 'session file, signed or not; - for standard input'),
    );
    withScopeOptions(withSignerOptions(signing))
      .option('-o, --output <file>', 'where the signed session goes; standard output if absent')
      .addHelpText('after', '\nensconce session create and update take the signed file.')
      .action(
        async (
          name: string,
          options: TemplateOptions & SignerOptions & ScopeOptions & { output?: string },
        ) => {
          const signer = await signerOf(io, options);
          const file = placeCreator(loadSignedFile(io, name, options), signer.creator);
          const signature = signer.sign(versionOf(file.session), scopeOf(io, options));
          const others = file.signatures.filter((one) => one.signer !== signature.signer);
          writeOutput(io, options.output, formatSigned(file.text, [...others, signature]));
          io.stderr(`signed by ${signer.creator.keyHash} until ${signature.expires}\n`);
        },
      );
  },
};
