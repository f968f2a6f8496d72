import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** A private key of the simulated vendor. It stands for a key inside silicon or a vendor's HSM, and protects nothing. */
export interface SimulatedKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export type Curve = 'P-256' | 'P-384';

export function generateEcKey(curve: Curve): SimulatedKey {
  return generateKeyPairSync('ec', { namedCurve: curve });
}

export function generateRsaKey(bits: number): SimulatedKey {
  return generateKeyPairSync('rsa', { modulusLength: bits });
}

export function keyToPem(key: SimulatedKey): string {
  return key.privateKey.export({ type: 'pkcs8', format: 'pem' });
}

export function keyFromPem(pem: string): SimulatedKey {
  const privateKey = createPrivateKey(pem);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** x‖y of an EC key. */
export function pointOf(key: SimulatedKey): Uint8Array {
  const jwk = key.publicKey.export({ format: 'jwk' });
  const options = { alphabet: 'base64url' } as const;
  const x = Uint8Array.fromBase64(jwk.x ?? '', options);
  const y = Uint8Array.fromBase64(jwk.y ?? '', options);
  const point = new Uint8Array(x.length + y.length);
  point.set(x);
  point.set(y, x.length);
  return point;
}

/** SubjectPublicKeyInfo, DER. */
export function spkiOf(key: SimulatedKey): Uint8Array {
  return new Uint8Array(key.publicKey.export({ format: 'der', type: 'spki' }));
}

/** r‖s. */
export function signRaw(key: SimulatedKey, digest: 'sha256' | 'sha384', data: Uint8Array): Uint8Array {
  return sign(digest, data, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
}
