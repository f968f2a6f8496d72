import { X509Error } from './errors.ts';

/**
 * The cryptography that parsing and judging evidence needs, handed in as an argument: `@ensconce/crypto-node` answers at once,
 * a WebCrypto provider answers with promises. Implementations use a well-kept library and never their own arithmetic.
 */
export type MaybePromise<T> = T | Promise<T>;

/** Key type, scheme and digest in one name. ECDSA signatures are r‖s of fixed width (IEEE P1363), big-endian. */
export type SignatureAlgorithm =
  | 'ecdsa-p256-sha256'
  | 'ecdsa-p256-sha384'
  | 'ecdsa-p384-sha256'
  | 'ecdsa-p384-sha384'
  /** Salt of 48 bytes, MGF1 with SHA-384. */
  | 'rsa-pss-sha384'
  | 'rsa-pkcs1-sha256'
  | 'rsa-pkcs1-sha384'
  | 'rsa-pkcs1-sha512'
  /** RFC 8032, over the data itself. */
  | 'ed25519';

/** Why a key cannot be used, in the same words whichever provider finds it: some cannot tell a malformed key from one of another kind or size. */
export function unusableKey(algorithm: SignatureAlgorithm, cause?: unknown): X509Error {
  return new X509Error(
    'X509_KEY',
    `public key: one for ${algorithm} of a usual size expected, a malformed or other one found`,
    { cause },
  );
}

/** A public key bound to one algorithm. */
export interface VerificationKey {
  /** False for a wrong signature of any shape; never throws on attacker-controlled bytes. */
  verify(signature: Uint8Array, data: Uint8Array): MaybePromise<boolean>;
}

export interface CryptoProvider {
  sha1(data: Uint8Array): MaybePromise<Uint8Array>;
  sha256(data: Uint8Array): MaybePromise<Uint8Array>;
  sha384(data: Uint8Array): MaybePromise<Uint8Array>;
  sha512(data: Uint8Array): MaybePromise<Uint8Array>;
  /**
   * A key from its SubjectPublicKeyInfo (DER), attacker-controlled. Throws `X509Error` `X509_KEY` where the key is malformed,
   * is not on its curve, or is of another type than the algorithm wants.
   */
  publicKey(spki: Uint8Array, algorithm: SignatureAlgorithm): MaybePromise<VerificationKey>;
  /** The same from an RSA key as RFC 7517 writes it. */
  publicKeyOfJwk(jwk: RsaPublicJwk, algorithm: SignatureAlgorithm): MaybePromise<VerificationKey>;
}

/** Members of an RSA public key, base64url; attacker-controlled. */
export interface RsaPublicJwk {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
}

/** DER of SubjectPublicKeyInfo up to the coordinates of an uncompressed point (RFC 5480). */
const spkiHead = {
  'P-256': Uint8Array.fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004'),
  'P-384': Uint8Array.fromHex('3076301006072a8648ce3d020106052b8104002203620004'),
} as const;
const coordinates = { 'P-256': 64, 'P-384': 96 } as const;

/** Whether a SubjectPublicKeyInfo is just an uncompressed point on the curve that it names; whether the point lies on it is for the import to say. */
export function isSpkiOfPoint(curve: 'P-256' | 'P-384', spki: Uint8Array): boolean {
  const head = spkiHead[curve];
  return spki.length === head.length + coordinates[curve] && head.every((byte, i) => byte === spki[i]);
}

/** SubjectPublicKeyInfo of a raw point x‖y, as quotes carry it. */
export function spkiOfPoint(curve: 'P-256' | 'P-384', point: Uint8Array): Uint8Array {
  if (point.length !== coordinates[curve])
    throw new RangeError(`a point of ${coordinates[curve]} bytes expected`);
  const head = spkiHead[curve];
  const spki = new Uint8Array(head.length + point.length);
  spki.set(head);
  spki.set(point, head.length);
  return spki;
}
