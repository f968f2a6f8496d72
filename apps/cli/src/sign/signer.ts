import { spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { creatorFromSigner } from '@ensconce/policy/key-hash';
import type { Creator } from '@ensconce/policy/session';
import {
  addSignature,
  addVeto,
  signatureMessage,
  signMessage,
  vetoMessage,
  type SessionChange,
  type SessionSignature,
  type SignatureScope,
} from '@ensconce/policy/signature';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { loadSigningKey } from '../state/cli-state.ts';

/** Somebody who can sign sessions: a key at hand, or a program that has one (a hardware token, a cloud's KMS). */
export interface Signer {
  /** What the signer is as a creator of sessions. */
  readonly creator: Creator;
  readonly sign: (of: SessionChange, scope: SignatureScope) => SessionSignature;
  readonly veto: (of: SessionChange, scope: SignatureScope) => SessionSignature;
  /** The key, where it is at hand. */
  readonly key?: KeyObject;
}

export interface SignerOptions {
  readonly key?: string;
  readonly externalSigner?: string;
  readonly signer?: string;
}

/** Adds the options that say who signs. */
export function withSignerOptions(command: Command): Command {
  return command
    .option(
      '--key <file>',
      'private key, Ed25519 or P-384: PKCS#8 PEM, - for standard input; this command’s own if absent',
    )
    .option(
      '--external-signer <program>',
      'a program that signs: the message comes on its standard input, it writes the signature (64 bytes for Ed25519, DER for P-384 with SHA-384)',
    )
    .option('--signer <file>', 'public key of a signer whose private key is elsewhere, PEM');
}

/** The signer that the options name, else this command's own key. Throws `CLI_USAGE` where they name half a signer, or two. */
export async function signerOf(io: Io, options: SignerOptions): Promise<Signer> {
  const { key, externalSigner, signer } = options;
  if (key === undefined && externalSigner === undefined && signer === undefined)
    return fromKey(await loadSigningKey(io));
  if (key !== undefined && externalSigner === undefined && signer === undefined)
    return fromKey(readPrivateKey(key));
  if (key === undefined && externalSigner !== undefined && signer !== undefined)
    return fromProgram(externalSigner, readText(signer));
  throw new CliError(
    'CLI_USAGE',
    '--key, or --external-signer with --signer, expected, something else found',
  );
}

/** A signer whose private key is here. */
export function fromKey(key: KeyObject): Signer {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' });
  return { ...signerBy(publicKey, (message) => signMessage(message, key)), key };
}

function fromProgram(program: string, publicKey: string): Signer {
  return signerBy(publicKey, (message) => runProgram(program, message));
}

function signerBy(publicKey: string, sign: (message: Uint8Array) => Uint8Array): Signer {
  return {
    creator: creatorFromSigner(publicKey),
    sign: (of, scope) => addSignature(of, scope, publicKey, sign(signatureMessage(of, scope))),
    veto: (of, scope) => addVeto(of, scope, publicKey, sign(vetoMessage(of, scope))),
  };
}

/** What the program writes is believed only once it verifies. */
function runProgram(program: string, message: Uint8Array): Uint8Array {
  const { status, signal, stdout, error } = spawnSync(program, [], {
    input: message,
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 300_000,
    maxBuffer: 65_536,
  });
  if (error !== undefined)
    throw new CliError('CLI_FILE', `${program}: a program that signs expected`, { cause: error });
  if (status !== 0)
    throw new CliError('CLI_SESSION', `${program}: exit code 0 expected, ${signal ?? status} found`);
  return stdout;
}

export function readPrivateKey(file: string): KeyObject {
  const pem = readText(file);
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a private key (PKCS#8 PEM, not encrypted) expected`, { cause });
  }
}

/** A small text file; `-` for standard input. */
export function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a readable file expected`, { cause });
  }
}
