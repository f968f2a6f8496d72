import { EvidenceError } from '@ensconce/evidence/errors';
import type { SignatureAlgorithm } from '@ensconce/x509/crypto';
import type { TpmQuote } from '@ensconce/evidence/tpm/quote';

const algorithms: Readonly<Record<string, SignatureAlgorithm>> = {
  'rsassa sha256': 'rsa-pkcs1-sha256',
  'rsassa sha384': 'rsa-pkcs1-sha384',
  'rsassa sha512': 'rsa-pkcs1-sha512',
  'ecdsa sha256': 'ecdsa-p256-sha256',
  'ecdsa sha384': 'ecdsa-p256-sha384',
};

/** How the signature of a quote is checked. Throws `EvidenceError` for SHA-1. */
export function signatureAlgorithmOf({ scheme, hash }: TpmQuote): SignatureAlgorithm {
  const algorithm = algorithms[`${scheme} ${hash}`];
  if (algorithm === undefined)
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      `TPM quote: a signature with SHA-2 expected, ${hash} found`,
    );
  return algorithm;
}
