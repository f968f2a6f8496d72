import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { creatorFromCertificate } from '@ensconce/policy/key-hash';
import { CasError } from '../errors.ts';
import type { ClientIdentity } from '../sessions/session-access.ts';

const identities = new WeakMap<TLSSocket, ClientIdentity>();

/** Who is at the other end of a request's connection; TLS 1.3 has proved that it holds the certificate's key. */
export function clientOf(request: IncomingMessage): ClientIdentity {
  const socket = request.socket as TLSSocket;
  let identity = identities.get(socket);
  if (identity === undefined) {
    identity = identityOf(socket.getPeerX509Certificate());
    identities.set(socket, identity);
  }
  return identity;
}

/** Bytes of a certificate: as PEM no longer than the session language takes one as a creator. */
const largest = 12_000;

/** A certificate is a stranger's: OpenSSL may have taken one that cannot stand for an identity here. */
function identityOf(certificate: X509Certificate | undefined): ClientIdentity {
  if (certificate === undefined) return { keyHash: undefined, certificate: undefined };
  if (certificate.raw.length > largest) {
    throw new CasError(
      'CAS_IDENTITY_INVALID',
      `client certificate: at most ${largest} bytes expected, ${certificate.raw.length} found`,
    );
  }
  try {
    const { pem, keyHash } = creatorFromCertificate(certificate.raw);
    return { keyHash, certificate: pem };
  } catch (cause) {
    throw new CasError('CAS_IDENTITY_INVALID', 'client certificate: one that can be read expected', {
      cause,
    });
  }
}

/** Where a request comes from. */
export function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? '';
}

/** The name under which a caller's requests are counted. */
export function callerOf(request: IncomingMessage): string {
  return clientOf(request).keyHash ?? addressOf(request);
}
