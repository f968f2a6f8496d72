import { toHex } from '@ensconce/base/bytes';
import type { Binding } from '@ensconce/evidence/ra-tls/binding';
import type { RaTlsCertificate } from '@ensconce/evidence/ra-tls/envelope';

/** What an RA-TLS certificate adds to the claims of the hardware: whose key the evidence vouches for. */
export interface CertificateClaims {
  readonly kind: 'certificate' | 'request';
  /** Whether the key that the evidence vouches for signed the certificate. Where another did, nobody checked whose names and dates these are: they are null. */
  readonly selfSigned: boolean;
  /** Common name. */
  readonly subject: string | null;
  /** SHA-256 of the SubjectPublicKeyInfo, hexadecimal: what a client pins. */
  readonly publicKey: string;
  /** The form of the extension, and what report data is the digest of. */
  readonly form: string;
  readonly binding: string;
  /** ISO 8601; null for a request too. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  /** By name, hexadecimal; "nonce" is the one that was asked for. */
  readonly claims: Readonly<Record<string, string>>;
}

const iso = (time: number | undefined): string | null =>
  time === undefined ? null : new Date(time).toISOString();

export const wordsOf = ({ hash, of }: Binding): string => `${hash} of ${of}`;

export function certificateClaims(
  parsed: RaTlsCertificate,
  spkiDigest: Uint8Array,
  binding: Binding,
  selfSigned: boolean,
): CertificateClaims {
  const { kind, certificate, form, validity, claims } = parsed;
  return {
    kind,
    selfSigned,
    subject: selfSigned ? certificate.subject.commonName : null,
    publicKey: toHex(spkiDigest),
    form,
    binding: wordsOf(binding),
    notBefore: iso(selfSigned ? validity?.notBefore : undefined),
    notAfter: iso(selfSigned ? validity?.notAfter : undefined),
    claims: Object.fromEntries([...(claims?.members ?? [])].map(([name, value]) => [name, toHex(value)])),
  };
}
