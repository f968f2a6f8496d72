import { constants } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Logger } from 'pino';
import { closer, listen, type Listen } from '../listen.ts';
import { Busy } from '../state/busy.ts';
import type { CasIdentity } from '../state/state.ts';
import type { clientApi } from './client-api.ts';

export interface ClientPortLimits {
  readonly connections: number;
  readonly perAddress: number;
  /** Milliseconds for a whole request to arrive, and without a byte in either direction. */
  readonly timeout: number;
}

export interface ClientPortOptions {
  readonly listen: Listen;
  readonly identity: CasIdentity;
  readonly api: ReturnType<typeof clientApi>;
  readonly limits: ClientPortLimits;
  /** Milliseconds for requests that are being answered when the port is closed. */
  readonly drain: number;
  readonly log: Logger;
  readonly onHandshakeFailure: () => void;
}

/** The port of the clients: HTTPS (TLS 1.3), where a client certificate says who asks. */
export class ClientPort {
  #connections = 0;
  /** Answers the requests that have begun, then ends what is open. */
  readonly close: () => Promise<void>;
  readonly address: AddressInfo;

  private constructor(server: Server, close: () => Promise<void>, address: AddressInfo) {
    this.close = close;
    this.address = address;
    server.on('connection', (socket: Socket) => {
      this.#connections++;
      socket.once('close', () => this.#connections--);
    });
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections;
  }

  static async open(options: ClientPortOptions): Promise<ClientPort> {
    const { identity, limits, log } = options;
    const server = createAdaptorServer({
      fetch: options.api.fetch,
      createServer,
      serverOptions: {
        key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
        cert: identity.certificate,
        minVersion: 'TLSv1.3',
        // Without stateless tickets, and without a store for the others, nothing can be resumed.
        secureOptions: constants.SSL_OP_NO_TICKET,
        ALPNProtocols: ['http/1.1'],
        // Identities are keys: any self-signed certificate will do, and none is an anonymous client.
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: limits.timeout,
        requestTimeout: limits.timeout,
        headersTimeout: limits.timeout,
        keepAliveTimeout: limits.timeout,
        connectionsCheckingInterval: 2000,
        maxHeaderSize: 16_384,
      },
    }) as Server;
    server.maxConnections = limits.connections;
    // Who reads its answer slowly, or not at all, holds it no longer than this.
    server.setTimeout(limits.timeout);
    limitPerAddress(server, limits.perAddress);
    server.on('tlsClientError', (error, socket) => {
      options.onHandshakeFailure();
      log.debug({ err: error.message }, 'client handshake failed');
      // Node leaves a handshake that took too long open.
      socket.destroy();
    });
    server.on('secureConnection', (socket) => {
      // A resumed connection would show no certificate and prove no key.
      if (socket.isSessionReused()) socket.destroy();
    });
    const answering = new Busy();
    server.on('request', (_request, response) => response.once('close', answering.begin()));
    const close = closer(server, () => answering.idle(options.drain));
    return new ClientPort(server, close, await listen(server, options.listen, 'client port'));
  }
}

/** Keeps one address from having all the connections. */
function limitPerAddress(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
    if (count > most) socket.destroy();
  });
}
