import { equalBytes } from '@ensconce/base/bytes';
import { X509Error } from './errors.ts';
import { isSignedBy } from './signature.ts';
import type { Certificate } from './certificate.ts';
import type { CryptoProvider } from './crypto.ts';

/** keyUsage bits (RFC 5280 §4.2.1.3). */
export const keyCertSign = 1 << 5;
export const crlSign = 1 << 6;

function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.issuer.der, certificate.subject.der);
}

/**
 * Puts certificates, given in any order, into one line from leaf to self-issued root by issuer and subject names. Vendors do not
 * keep to an order. Refuses anything that is not exactly one line.
 */
export function orderChain(certificates: readonly Certificate[], limit = 8): Certificate[] {
  if (certificates.length === 0 || certificates.length > limit)
    throw new X509Error(
      'X509_CHAIN',
      `chain: 1 to ${limit} certificates expected, ${certificates.length} found`,
    );
  const roots = certificates.filter((certificate) => isSelfIssued(certificate));
  const [root] = roots;
  if (root === undefined || roots.length > 1)
    throw new X509Error('X509_CHAIN', `chain: one self-issued certificate expected, ${roots.length} found`);
  const line = [root];
  const rest = new Set(certificates.filter((certificate) => certificate !== root));
  while (rest.size > 0) {
    const issuer = line[0] as Certificate;
    const issued = [...rest].filter((certificate) => equalBytes(certificate.issuer.der, issuer.subject.der));
    const [next] = issued;
    if (next === undefined || issued.length > 1) {
      throw new X509Error(
        'X509_CHAIN',
        `chain: one certificate issued by "${issuer.subject.commonName}" expected, ${issued.length} found`,
      );
    }
    rest.delete(next);
    line.unshift(next);
  }
  return line;
}

/** Why a line of certificates is not a chain, or undefined where it is one. Dates, revocation and trust are not judged here. */
export async function chainProblem(
  crypto: CryptoProvider,
  line: readonly Certificate[],
): Promise<string | undefined> {
  for (const [index, certificate] of line.entries()) {
    const issuer = line[index + 1] ?? certificate;
    const name = `"${certificate.subject.commonName}"`;
    if (!equalBytes(certificate.issuer.der, issuer.subject.der))
      return `${name} was not issued by the next certificate`;
    if (index > 0) {
      if (!certificate.isAuthority) return `${name} is no certificate authority`;
      if (certificate.keyUsage !== undefined && (certificate.keyUsage & keyCertSign) === 0)
        return `${name} may not sign certificates`;
      if (certificate.pathLength !== undefined && index - 1 > certificate.pathLength)
        return `${name} allows ${certificate.pathLength} intermediates, ${index - 1} found`;
    }
    if (!(await isSignedBy(crypto, certificate, issuer))) return `the signature on ${name} is wrong`;
  }
  return undefined;
}
