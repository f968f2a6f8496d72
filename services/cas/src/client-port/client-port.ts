import { constants } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener, RequestError } from '@hono/node-server';
import type { Logger } from 'pino';
import { CasError, publicError } from '../errors.ts';
import { closer, listen, type Listen } from '../listen.ts';
import { Busy } from '../state/busy.ts';
import type { CasIdentity } from '../state/state.ts';
import type { Random } from '../store/record-cipher.ts';
import type { clientApi } from './client-api.ts';
import { errorBody } from './error-body.ts';
import type { UnreadableOptions, UnreadableRequests } from './unreadable-requests.ts';

export interface ClientPortLimits {
  readonly connections: number;
  readonly perAddress: number;
  /** Milliseconds for a handshake and for a whole request to arrive; up to 4 s more without a byte in either direction. */
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
  readonly unreadable: UnreadableRequests;
  readonly onUnreadable: UnreadableOptions['onAnswered'];
  readonly random: Random;
}

/** Bytes of request line and headers. */
const longestHeaders = 16_384;

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
    const interval = Math.min(2000, limits.timeout);
    const answer = getRequestListener(options.api.fetch, { errorHandler });
    const server = createServer(
      {
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
        connectionsCheckingInterval: interval,
        maxHeaderSize: longestHeaders,
        // A request without one is answered like any that is wrong.
        requireHostHeader: false,
      },
      (incoming, outgoing) => void answer(incoming, outgoing),
    );
    server.maxConnections = limits.connections;
    // Who reads its answer slowly, or not at all, holds it no longer than this; who does not finish a request is told before.
    server.setTimeout(limits.timeout + 2 * interval);
    options.unreadable.listen(server, {
      headers: longestHeaders,
      timeout: limits.timeout,
      random: options.random,
      onAnswered: options.onUnreadable,
    });
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

/** Where the address of a request, its Host or its target, cannot be read: the connection ends with it. */
function errorHandler(error: unknown): Response {
  const shown = publicError(
    error instanceof RequestError
      ? new CasError('CAS_REQUEST_INVALID', 'request: a Host and a path expected, something else found')
      : error,
  );
  return Response.json(errorBody(shown), {
    status: shown.status,
    headers: { 'cache-control': 'no-store', connection: 'close' },
  });
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
