import { X509Error } from './errors.ts';

/** Dotted form of the content bytes of an OBJECT IDENTIFIER (X.690 §8.19); arcs are limited to 2⁵³ − 1. */
export function oidFromContent(content: Uint8Array): string {
  if (content.length === 0 || content.length > 64 || (content[content.length - 1] as number) & 0x80)
    throw new X509Error(
      'X509_DER',
      `object identifier: 1 to 64 complete bytes expected, ${content.length} found`,
    );
  const arcs: number[] = [];
  let arc = 0;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80)
      throw new X509Error(
        'X509_DER',
        'object identifier: shortest form expected, a leading zero group found',
      );
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER)
      throw new X509Error('X509_DER', 'object identifier: arcs below 2⁵³ expected, a larger one found');
    fresh = (byte & 0x80) === 0;
    if (fresh) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const first = arcs[0] as number;
  const top = first < 40 ? 0 : first < 80 ? 1 : 2;
  return [top, first - top * 40, ...arcs.slice(1)].join('.');
}

/** The object identifiers of RFC 5280, 5480, 4055 and 8017 that this package reads. */
export const oids = {
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAlternativeName: '2.5.29.17',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  cRLNumber: '2.5.29.20',
  authorityKeyIdentifier: '2.5.29.35',
  subjectKeyIdentifier: '2.5.29.14',
  commonName: '2.5.4.3',
  ecPublicKey: '1.2.840.10045.2.1',
  p256: '1.2.840.10045.3.1.7',
  p384: '1.3.132.0.34',
  rsaEncryption: '1.2.840.113549.1.1.1',
  extensionRequest: '1.2.840.113549.1.9.14',
  rsaPss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  sha384: '2.16.840.1.101.3.4.2.2',
} as const;
