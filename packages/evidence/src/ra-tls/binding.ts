import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import { publicKeyBits } from '@ensconce/x509/spki';

export type BindingHash = 'sha256' | 'sha384' | 'sha512';

/** One way in which report data may name a key: the digest of `data`, then zeros. */
export interface Binding {
  /** In words: what is hashed. */
  readonly of: string;
  readonly hash: BindingHash;
  readonly data: Uint8Array;
}

const hashes = ['sha256', 'sha384', 'sha512'] as const;
const info = 'SubjectPublicKeyInfo';

const withEach = (of: string, data: Uint8Array): Binding[] => hashes.map((hash) => ({ of, hash, data }));

/** Open Enclave hashes the key as PEM text with the NUL at its end. */
const pemText = (spki: Uint8Array): Uint8Array => utf8(`${pemEncode(spki, 'PUBLIC KEY')}\0`);

/**
 * The forms of makers that put a bare quote into a certificate (Gramine, Open Enclave, Enarx and others): a digest of the key. Each names the
 * whole key, so it does not matter which of them a maker chose.
 */
export function keyBindings(spki: Uint8Array): Binding[] {
  const bits = publicKeyBits(spki);
  const point = bits[0] === 0x04 ? withEach('coordinates of the public key', bits.subarray(1)) : [];
  return [
    ...withEach(info, spki),
    ...withEach('public key', bits),
    ...point,
    { of: 'public key as PEM', hash: 'sha256', data: pemText(spki) },
  ];
}

/** dstack: the key under a tag of its own, so that report data of applications never stands for it. */
export function taggedBinding(spki: Uint8Array): Binding {
  return { of: `"ratls-cert:" and ${info}`, hash: 'sha512', data: concatBytes(utf8('ratls-cert:'), spki) };
}

function framed(bytes: Uint8Array): Uint8Array {
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(bytes.length));
  return concatBytes(size, bytes);
}

/** c8s: key, configuration claims and an empty nonce, each behind its size; or the key alone where there are no claims. */
export function transcriptBinding(spki: Uint8Array, claims: Uint8Array | undefined): Binding {
  if (claims === undefined) return { of: info, hash: 'sha384', data: spki };
  return {
    of: `${info} and configuration claims`,
    hash: 'sha384',
    data: concatBytes(utf8('c8s/config-claims/v1\0'), framed(spki), framed(claims), framed(new Uint8Array())),
  };
}
