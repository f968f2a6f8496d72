import { constants } from 'node:crypto';
import { createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { attestationProtocol } from '@ensconce/wire/attestation';
import { Busy } from '../state/busy.ts';
import type { CasIdentity } from '../state/state.ts';
import { closer, listen, type Listen } from '../listen.ts';
import { arrivals } from './arrivals.ts';

export interface ServicePortLimits {
  /** Connections that are open at once, attested ones included. */
  readonly connections: number;
  /** Connections that are not attested yet. */
  readonly pending: number;
  /** Milliseconds from the connection to the last byte of the evidence. */
  readonly timeout: number;
}

/** What a connection tells its port. */
export interface Progress {
  /** The evidence is here: from now on the answer depends on this side alone. */
  readonly arrived: () => void;
  /** The service is known. */
  readonly attested: () => void;
}

export interface ServicePortOptions {
  readonly listen: Listen;
  readonly identity: CasIdentity;
  readonly limits: ServicePortLimits;
  /** Milliseconds for attestations whose evidence is here when the port is closed. */
  readonly drain: number;
  readonly log: Logger;
  readonly onHandshakeFailure: () => void;
  /** Serves one connection. It never throws. */
  readonly serve: (socket: TLSSocket, progress: Progress) => Promise<void>;
}

/** The port of the services: the attestation protocol over TLS 1.3 with certificates on both sides. */
export class ServicePort {
  readonly #close: () => Promise<void>;
  readonly #running = new Map<TLSSocket, Promise<void>>();
  readonly #pending: Busy;
  readonly address: AddressInfo;

  private constructor(close: () => Promise<void>, pending: Busy, address: AddressInfo) {
    this.#close = close;
    this.#pending = pending;
    this.address = address;
  }

  /** Open connections whose handshake is done. */
  get connections(): number {
    return this.#running.size;
  }

  /** Of these, the ones that are not attested yet. */
  get pending(): number {
    return this.#pending.count;
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
    const listener = arrivals((socket) => server.emit('connection', socket));
    listener.maxConnections = limits.connections;
    const pending = new Busy();
    const judging = new Busy();
    const close = closer(listener, () => judging.idle(options.drain));
    const port = new ServicePort(close, pending, await listen(listener, options.listen, 'service port'));
    server.on('tlsClientError', (error, socket) => {
      options.onHandshakeFailure();
      log.debug({ err: error.message }, 'service handshake failed');
      // Node leaves a handshake that took too long open.
      socket.destroy();
    });
    server.on('secureConnection', (socket) => {
      socket.on('error', (error) => log.debug({ err: error.message }, 'service connection failed'));
      // Who has hung up reads no farewell: the two calls that would send it cost as much as a signature.
      socket.on('end', () => socket.destroy());
      // A resumed connection would show no certificate and prove no key.
      if (
        socket.alpnProtocol !== attestationProtocol ||
        socket.isSessionReused() ||
        pending.count >= limits.pending
      ) {
        socket.destroy();
        return;
      }
      const known = pending.begin();
      let answered = (): void => {};
      const attested = (): void => {
        known();
        answered();
      };
      const arrived = (): void => {
        answered = judging.begin();
      };
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 60_000);
      const done = options.serve(socket, { arrived, attested }).finally(() => {
        attested();
        socket.destroySoon();
        port.#running.delete(socket);
      });
      port.#running.set(socket, done);
    });
    return port;
  }

  /** Answers whose evidence is here, then ends all connections and waits until what they were doing is done. */
  async close(): Promise<void> {
    await this.#close();
    await Promise.allSettled(this.#running.values());
  }
}
