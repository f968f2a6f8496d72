import { signatureAlgorithm, type KeyKind } from './algorithm.ts';
import { rawEcdsaSignature, type DerElement } from './der.ts';
import { X509Error } from './errors.ts';
import type { CryptoProvider } from './crypto.ts';

/** What a certificate and a revocation list have in common. */
export interface Signed {
  readonly signed: Uint8Array;
  readonly signatureAlgorithm: DerElement;
  readonly signature: Uint8Array;
}

/** The part of a certificate that verifying what it signed needs. */
export interface Signer {
  readonly spki: Uint8Array;
  readonly keyKind: KeyKind;
}

const widths = { 'P-256': 32, 'P-384': 48 } as const;

/**
 * Whether `signer` signed `item`. A malformed signature, key or algorithm is "no": all of it is attacker-controlled. Says nothing
 * about names, dates or whether the signer may sign.
 */
export async function isSignedBy(crypto: CryptoProvider, item: Signed, signer: Signer): Promise<boolean> {
  try {
    const algorithm = signatureAlgorithm(item.signatureAlgorithm, signer.keyKind);
    const key = await crypto.publicKey(signer.spki, algorithm);
    const signature =
      signer.keyKind === 'P-256' || signer.keyKind === 'P-384'
        ? rawEcdsaSignature(item.signature, widths[signer.keyKind])
        : item.signature;
    return await key.verify(signature, item.signed);
  } catch (error) {
    if (error instanceof X509Error) return false;
    throw error;
  }
}
