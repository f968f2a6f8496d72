import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import * as v from 'valibot';
import type { SgxClaims } from '@ensconce/verify/sgx/claims';
import { CasError } from '../errors.ts';

/** Gets a token of Microsoft Azure Attestation for a quote: `url` is the provider's, as the session has it. */
export type MaaTokens = (url: string, quote: Uint8Array) => Promise<string>;

export interface MaaPolicy {
  readonly url: string;
  /** PEM; the keys of any of these may have signed. They come from the session, never from the provider. */
  readonly certificates: readonly string[];
  /** Bits. */
  readonly minRsaSigningKeySize?: number | undefined;
}

const hex32 = v.pipe(v.string(), v.regex(/^[0-9a-fA-F]{64}$/), v.toLowerCase());
const number = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
/** What a token says of an enclave, in the provider's words; it says more that is not looked at. */
const tokenClaims = v.object({
  'x-ms-attestation-type': v.literal('sgx'),
  'x-ms-sgx-mrenclave': hex32,
  'x-ms-sgx-mrsigner': hex32,
  'x-ms-sgx-product-id': number,
  'x-ms-sgx-svn': number,
  'x-ms-sgx-is-debuggable': v.boolean(),
  'x-ms-sgx-report-data': v.pipe(v.string(), v.regex(/^[0-9a-fA-F]{128}$/), v.toLowerCase()),
});

const refused = (message: string, cause?: unknown): CasError =>
  new CasError('CAS_SERVICE_REFUSED', `attestation provider: ${message}`, {
    cause,
    hint: 'mode maa: url and certificates in security.attestation must be those of the provider that judged this quote',
  });

/**
 * Holds a token against the quote that it must be about: signed by a key of the session's certificates, issued by the session's
 * provider, valid now, and saying of the enclave what the quote says, its report data included. The quote itself is verified before.
 */
export async function checkMaaToken(
  token: string,
  policy: MaaPolicy,
  claims: SgxClaims,
  now: Date,
): Promise<void> {
  const keys = policy.certificates.map((pem) => keyOf(pem, policy.minRsaSigningKeySize ?? 2048));
  if (keys.length === 0) throw refused('certificates in security.attestation expected, none found');
  const said = v.safeParse(tokenClaims, await payloadOf(token, keys, policy.url, now));
  if (!said.success) throw refused('a token about an SGX enclave expected, another found');
  const expected: v.InferOutput<typeof tokenClaims> = {
    'x-ms-attestation-type': 'sgx',
    'x-ms-sgx-mrenclave': claims.mrenclave,
    'x-ms-sgx-mrsigner': claims.mrsigner,
    'x-ms-sgx-product-id': claims.isvprodid,
    'x-ms-sgx-svn': claims.isvsvn,
    'x-ms-sgx-is-debuggable': claims.debug,
    'x-ms-sgx-report-data': claims.reportData,
  };
  for (const [name, value] of Object.entries(expected)) {
    const found = said.output[name as keyof typeof expected];
    if (found !== value) throw refused(`${name} ${String(value)} expected, ${String(found)} found`);
  }
}

function keyOf(pem: string, bits: number): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' }));
  } catch (cause) {
    throw refused('PEM certificates in security.attestation expected, something else found', cause);
  }
  const size = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || size < bits)
    throw refused(`an RSA key of at least ${bits} bits expected in certificates, another found`);
  return key;
}

/** The token's own words about its key (`jku`, `x5c`, `kid`) are not looked at. */
async function payloadOf(
  token: string,
  keys: readonly KeyObject[],
  issuer: string,
  now: Date,
): Promise<unknown> {
  let cause: unknown;
  for (const key of keys) {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['RS256'],
        issuer: [issuer, issuer.replace(/\/+$/, '')],
        currentDate: now,
        requiredClaims: ['exp', 'iss'],
      });
      return payload;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      cause = error;
    }
  }
  throw refused(`a valid token of ${issuer} expected, another found`, cause);
}
