import { constants } from 'node:crypto';
import { createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { attestationProtocol } from '@ensconce/wire/attestation';
import type { CasIdentity } from '../state/state.ts';
import { closer, listen, type Listen } from '../listen.ts';

export interface ServicePortLimits {
  /** Connections that are open at once, attested ones included. */
  readonly connections: number;
  /** Connections that are not attested yet. */
  readonly pending: number;
  /** Milliseconds from the connection to the last byte of the evidence. */
  readonly timeout: number;
}

export interface ServicePortOptions {
  readonly listen: Listen;
  readonly identity: CasIdentity;
  readonly limits: ServicePortLimits;
  readonly log: Logger;
  /** Serves one connection; `attested` is called when the service is known. It never throws. */
  readonly serve: (socket: TLSSocket, attested: () => void) => Promise<void>;
}

/** The port of the services: the attestation protocol over TLS 1.3 with certificates on both sides. */
export class ServicePort {
  readonly #close: () => Promise<void>;
  readonly #running = new Map<TLSSocket, Promise<void>>();
  readonly address: AddressInfo;

  private constructor(close: () => Promise<void>, address: AddressInfo) {
    this.#close = close;
    this.address = address;
  }

  static async open(options: ServicePortOptions): Promise<ServicePort> {
    const { identity, limits, log } = options;
    const server = createServer({
      key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: identity.certificate,
      minVersion: 'TLSv1.3',
      // Without stateless tickets, and without a store for the others, nothing can be resumed.
      secureOptions: constants.SSL_OP_NO_TICKET,
      ALPNProtocols: [attestationProtocol],
      // Any self-signed certificate will do: the evidence says whose key it is.
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: limits.timeout,
    });
    server.maxConnections = limits.connections;
    const close = closer(server);
    const port = new ServicePort(close, await listen(server, options.listen, 'service port'));
    let pending = 0;
    server.on('tlsClientError', (error, socket) => {
      log.debug({ err: error.message }, 'service handshake failed');
      // Node leaves a handshake that took too long open.
      socket.destroy();
    });
    server.on('secureConnection', (socket) => {
      socket.on('error', (error) => log.debug({ err: error.message }, 'service connection failed'));
      // A resumed connection would show no certificate and prove no key.
      if (
        socket.alpnProtocol !== attestationProtocol ||
        socket.isSessionReused() ||
        pending >= limits.pending
      ) {
        socket.destroy();
        return;
      }
      pending++;
      let waiting = true;
      const attested = (): void => {
        if (waiting) pending--;
        waiting = false;
      };
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 60_000);
      const done = options.serve(socket, attested).finally(() => {
        attested();
        socket.destroySoon();
        port.#running.delete(socket);
      });
      port.#running.set(socket, done);
    });
    return port;
  }

  /** Ends all connections and waits until what they were doing is done. */
  async close(): Promise<void> {
    await this.#close();
    await Promise.allSettled(this.#running.values());
  }
}
