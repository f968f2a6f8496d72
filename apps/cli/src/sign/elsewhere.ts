import { readFileSync } from 'node:fs';
import { creatorFromSigner } from '@ensconce/policy/key-hash';
import {
  addSignature,
  signatureMessage,
  type SessionChange,
  type SessionSignature,
} from '@ensconce/policy/signature';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { writeWhole } from '../output/write-file.ts';
import { scopeOf, type ScopeOptions } from './scope.ts';

/** Somebody who signs elsewhere, by hand: the message is taken to him, the signature brought back. */
export interface ElsewhereOptions extends ScopeOptions {
  /** His public key, PEM. */
  readonly publicKey: string;
}

/** Writes what he has to sign, and tells the moment that the signature has to be added with. */
export function writeMessage(io: Io, of: SessionChange, options: ElsewhereOptions, output: string): void {
  const { keyHash } = creatorFromSigner(options.publicKey);
  const scope = scopeOf(io, options);
  writeWhole(output, signatureMessage(of, scope));
  io.stderr(`to be signed by ${keyHash}; expires ${scope.expires.toISOString().slice(0, 19)}Z\n`);
}

/** His signature over that message, once it verifies. */
export function readSignature(
  io: Io,
  of: SessionChange,
  options: ElsewhereOptions,
  file: string,
): SessionSignature {
  if (typeof options.expires === 'number')
    throw new CliError(
      'CLI_USAGE',
      '--expires: the moment that the message was made with expected, a duration found',
    );
  return addSignature(of, scopeOf(io, options), options.publicKey, bytesOf(file));
}

function bytesOf(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a readable signature expected`, { cause });
  }
}
