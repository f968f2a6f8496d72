import type { Secret } from '@ensconce/policy/session';
import { wrongValue } from './random-value.ts';
import type { Stored } from './stored.ts';

/**
 * Makes an OpenPGP key: Ed25519 for signatures with a Curve25519 subkey for encryption, version 4 packets, which every
 * GnuPG in use reads. OpenPGP.js takes its randomness from the platform.
 */
export async function createPgpKey(secret: Secret, now: Date): Promise<Stored<'pgp-key'>> {
  const openpgp = await import('openpgp');
  if (secret.value === undefined) {
    const { privateKey, publicKey } = await openpgp.generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name: secret.name }],
      date: now,
      format: 'armored',
    });
    return { kind: 'pgp-key', privateKey, publicKey, generated: true };
  }
  if (typeof secret.value !== 'string') throw wrongValue(secret, 'an ASCII-armoured OpenPGP private key');
  try {
    const key = await openpgp.readPrivateKey({ armoredKey: secret.value });
    if (!key.isDecrypted()) throw new TypeError('protected by a password');
    return { kind: 'pgp-key', privateKey: key.armor(), publicKey: key.toPublic().armor(), generated: false };
  } catch (cause) {
    throw wrongValue(secret, 'an ASCII-armoured OpenPGP private key without password', cause);
  }
}

/** The packets of an armoured key. RFC 9580 §6: base64 between the blank line and the checksum. */
export function dearmor(armored: string): Uint8Array {
  const body = armored
    .slice(armored.search(/\r?\n\r?\n/))
    .replace(/\r?\n=[A-Za-z0-9+/]{4}\r?\n[^]*$|\r?\n-----END[^]*$/, '');
  return Uint8Array.fromBase64(body.replaceAll(/\s/g, ''));
}
