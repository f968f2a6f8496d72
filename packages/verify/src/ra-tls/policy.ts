import type { CheckList } from '../check.ts';
import type { Claims } from '../claims.ts';

/**
 * Names and dates of a certificate are its signer's word, not the hardware's. Where that is the key that the evidence vouches for, they count; where it is
 * another, nobody has checked it, and evidence that is genuine is not accepted.
 */
export function checkCertificate(checks: CheckList, claims: Claims, at: number): void {
  const certificate = 'certificate' in claims ? claims.certificate : null;
  if (certificate === null) return;
  checks.that('certificate is the key’s own', certificate.selfSigned, {
    expected: 'a certificate that its own key signed',
    found: certificate.selfSigned ? 'such a certificate' : 'one by an issuer that was not checked',
    hint: 'give the certificate that the enclave made itself; TLS checks those that others issue',
  });
  const { notBefore, notAfter } = certificate;
  if (notBefore === null || notAfter === null) return;
  checks.that(
    'certificate is valid at this time',
    Date.parse(notBefore) <= at && at <= Date.parse(notAfter),
    {
      expected: `${notBefore} to ${notAfter}`,
      found: new Date(at).toISOString(),
      hint: 'have a new certificate made; an old one may be replayed',
    },
  );
}
