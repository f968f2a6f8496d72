import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { keyHash } from '@ensconce/policy/key-hash';
import type { ClientIdentity } from '../sessions/session-access.ts';

const identities = new WeakMap<TLSSocket, ClientIdentity>();

/** Who is at the other end of a request's connection; TLS 1.3 has proved that it holds the certificate's key. */
export function clientOf(request: IncomingMessage): ClientIdentity {
  const socket = request.socket as TLSSocket;
  let identity = identities.get(socket);
  if (identity === undefined) {
    const certificate = socket.getPeerX509Certificate();
    identity = {
      keyHash:
        certificate === undefined
          ? undefined
          : keyHash(certificate.publicKey.export({ type: 'spki', format: 'der' })),
      certificate: certificate?.toString(),
    };
    identities.set(socket, identity);
  }
  return identity;
}

/** The name under which a caller's requests are counted. */
export function callerOf(request: IncomingMessage): string {
  return clientOf(request).keyHash ?? request.socket.remoteAddress ?? '';
}
