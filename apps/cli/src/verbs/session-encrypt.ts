import { createPublicKey, type KeyObject } from 'node:crypto';
import { call } from '@ensconce/api/call';
import { routes } from '@ensconce/api/routes';
import { encryptSession } from '@ensconce/secrets/encrypted-session';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { writeOutput } from '../output/write-file.ts';
import { formatSigned, loadSignedFile } from '../sign/signed-file.ts';
import { readText } from '../sign/signer.ts';
import { withCas } from '../state/attested-cas.ts';
import { withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

interface Options extends TemplateOptions {
  readonly cas?: string;
  readonly key?: string;
  readonly output?: string;
}

export const sessionEncrypt: Verb = {
  name: 'session encrypt',
  summary: 'encrypt a session, signed or not, so that only one CAS can read it',
  examples: [
    'ensconce session encrypt session.yml -o session.jwe',
    'ensconce session encrypt session.signed --key cas-encryption.pem -o session.jwe',
  ],
  define(command, io) {
    withTemplateOptions(command.argument('<file>', 'session file, signed or not; - for standard input'))
      .option('-c, --cas <address>', 'the CAS that shall read it; by default the one attested last')
      .option('--key <file>', 'its encryption key instead (cas show-identification --session-encryption-key)')
      .option('-o, --output <file>', 'where the encrypted session goes; standard output if absent')
      .addHelpText('after', '\nensconce session create and update take the encrypted file.')
      .action(async (name: string, options: Options) => {
        const { text, signatures } = loadSignedFile(io, name, options);
        const plain = signatures.length === 0 ? text : formatSigned(text, signatures);
        writeOutput(io, options.output, `${await encryptSession(plain, await keyOf(io, options))}\n`);
      });
  },
};

async function keyOf(io: Io, options: Options): Promise<KeyObject> {
  if (options.key === undefined) {
    const { key } = await withCas(io, options.cas, (cas) => call(cas, routes.readEncryptionKey, {}));
    return createPublicKey(key);
  }
  const text = readText(options.key);
  let key: KeyObject | undefined;
  let cause: unknown;
  try {
    key = createPublicKey(text);
  } catch (error) {
    cause = error;
  }
  if (key?.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  throw new CliError(
    'CLI_FILE',
    `${options.key}: a P-256 public key (PEM) expected, ${key?.asymmetricKeyType ?? 'something else'} found`,
    { cause, hint: 'ensconce cas show-identification --session-encryption-key shows that of a CAS' },
  );
}
