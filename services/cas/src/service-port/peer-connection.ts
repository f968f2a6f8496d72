import { hash, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { fromHex } from '@ensconce/base/bytes';
import { reportData } from '@ensconce/wire/binding';
import { X509Error } from '@ensconce/x509/errors';
import { subjectPublicKeyInfo } from '@ensconce/x509/spki';
import { CasError } from '../errors.ts';

/** What is known of the connection, from this side's own TLS stack. */
export interface PeerConnection {
  /** SubjectPublicKeyInfo (DER) of the client's certificate, where it showed one: see {@link publicKeyOf}. */
  readonly publicKey: Uint8Array | undefined;
  readonly exporter: Uint8Array;
  /** The 32 bytes that this connection's challenge held. */
  readonly nonce: Uint8Array;
}

/** The key of the connection is made anew by every process: it names that process. */
export const instanceOf = (connection: PeerConnection): string => hash('sha256', keyOf(connection));

/** What evidence must hold that was made for this connection, this config id and this CAS (docs/protocol/binding.md). */
export function expectedReportData(
  connection: PeerConnection,
  of: { readonly configId: string; readonly casPublicKey: Uint8Array },
): Uint8Array {
  return reportData({
    role: 'service-to-cas',
    publicKey: keyOf(connection),
    exporter: connection.exporter,
    nonce: connection.nonce,
    configId: of.configId,
    casIdentity: of.casPublicKey,
  });
}

function keyOf({ publicKey }: PeerConnection): Uint8Array {
  if (publicKey !== undefined) return publicKey;
  throw new CasError('CAS_PROTOCOL', 'attest: a client certificate expected on the connection, none shown');
}

/** The key as it stands in the certificate: to have OpenSSL write it anew takes as long as a signature. */
export function publicKeyOf(certificate: X509Certificate): Uint8Array {
  try {
    return subjectPublicKeyInfo(certificate.raw);
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    throw new CasError('CAS_PROTOCOL', 'attest: a client certificate in DER expected, another one found', {
      cause,
    });
  }
}

/** Evidence that was made for another connection, key, challenge, service or CAS is somebody else's. */
export function checkBinding(claims: { readonly reportData: string }, expected: Uint8Array): void {
  if (!timingSafeEqual(fromHex(claims.reportData, 64), expected)) {
    throw new CasError(
      'CAS_BINDING_MISMATCH',
      'evidence: report data of this connection, key, challenge, config id and CAS expected, other data found',
      {
        hint: 'the evidence was made for another exchange: it was relayed, or the runtime was given another CAS',
      },
    );
  }
}
