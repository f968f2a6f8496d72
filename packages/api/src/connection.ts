import { createHash, type X509Certificate } from 'node:crypto';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import * as v from 'valibot';
import { toHex } from '@ensconce/base/bytes';
import { parseJson } from '@ensconce/base/json';
import { exporterLabel, exporterSize } from '@ensconce/wire/binding';
import { formatAddress, type CasAddress } from './address.ts';
import { ApiError, RefusedByCas } from './errors.ts';
import type { Method } from './route.ts';
import { answerLimit, errorBody } from './schema.ts';

export interface ConnectionOptions {
  readonly address: CasAddress;
  /** PEM pair that proves who asks; without it the request is anonymous. */
  readonly identity?: { readonly privateKey: string; readonly certificate: string };
  /** Hex SHA-256 of the public key that CAS must have; checked before a byte of a request leaves. */
  readonly pinned?: string | undefined;
  /** Milliseconds for the handshake, and again for each answer. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ApiRequest {
  readonly method: Method;
  /** With its query, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly type: string; readonly content: Uint8Array };
}

/** One TLS 1.3 connection to CAS. Several requests on it share its exporter, to which evidence is bound. */
export class CasConnection {
  readonly #socket: TLSSocket;
  readonly #agent: Agent;
  readonly #options: ConnectionOptions;
  /** SubjectPublicKeyInfo (DER) of the other side's TLS key. */
  readonly publicKey: Uint8Array;
  /** Hex SHA-256 of {@link publicKey}. */
  readonly identity: string;
  readonly exporter: Uint8Array;

  private constructor(socket: TLSSocket, certificate: X509Certificate, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' });
    this.identity = toHex(createHash('sha256').update(this.publicKey).digest());
    this.exporter = socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0));
    let handedOut = false;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#agent.createConnection = () => {
      // A second connection would have another exporter, so it is never made.
      if (handedOut) throw unreachable(options.address, undefined, 'it closed the connection');
      handedOut = true;
      return socket;
    };
  }

  /** Connects and holds the other side's key against the pin. The certificate itself proves nothing, it is self-signed. */
  static async open(options: ConnectionOptions): Promise<CasConnection> {
    const socket = await handshake(options);
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) {
      socket.destroy();
      throw unreachable(options.address, undefined, 'it showed no certificate');
    }
    const connection = new CasConnection(socket, certificate, options);
    if (options.pinned !== undefined && options.pinned !== connection.identity) {
      connection.close();
      throw new ApiError(
        'API_OTHER_CAS',
        `CAS at ${formatAddress(options.address)}: identity ${options.pinned} expected, ${connection.identity} found`,
        {
          hint: 'this is not the CAS that was attested; if it was replaced on purpose, run ensconce cas attest --replace-identity',
        },
      );
    }
    return connection;
  }

  /** Sends one request; an answer that is not 2xx becomes {@link RefusedByCas}. The value is JSON that no schema has read. */
  async exchange(what: ApiRequest): Promise<{ readonly status: number; readonly value: unknown }> {
    const { status, body } = await this.#exchange(what);
    const value = parseJson(body, `answer of CAS with status ${status}`, answerLimit);
    if (status >= 200 && status <= 299) return { status, value };
    const refused = v.safeParse(errorBody, value);
    if (refused.success) throw new RefusedByCas(status, refused.output);
    throw new ApiError('API_ANSWER', `CAS: an answer expected, status ${status} without a reason found`);
  }

  close(): void {
    this.#agent.destroy();
    this.#socket.destroy();
  }

  async #exchange(what: ApiRequest): Promise<{ status: number; body: Uint8Array }> {
    const { address, timeout, signal } = this.#options;
    try {
      return await new Promise((resolve, reject) => {
        const outgoing = request(
          {
            agent: this.#agent,
            method: what.method,
            path: what.path,
            headers: {
              host: formatAddress(address),
              accept: 'application/json',
              ...what.headers,
              ...(what.body === undefined
                ? {}
                : { 'content-type': what.body.type, 'content-length': what.body.content.length }),
            },
            timeout,
            ...(signal === undefined ? {} : { signal }),
          },
          (incoming) => {
            readBody(incoming).then(
              (body) => resolve({ status: incoming.statusCode ?? 0, body }),
              (error: unknown) => reject(error as Error),
            );
          },
        );
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeout} ms`)));
        outgoing.on('error', reject);
        outgoing.end(what.body?.content);
      });
    } catch (cause) {
      if (cause instanceof ApiError) throw cause;
      throw unreachable(address, cause, 'the connection failed');
    }
  }
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerLimit) {
      incoming.destroy();
      throw new ApiError('API_ANSWER', `CAS: an answer of at most ${answerLimit} bytes expected, more found`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  const { address, identity, timeout, signal } = options;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown, found: string): void => {
      socket.destroy();
      reject(unreachable(address, cause, found));
    };
    const socket = connect({
      host: address.host,
      port: address.port,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      // What is trusted is the key, by attestation and pin, not a name in a certificate.
      rejectUnauthorized: false,
      ...(/^[0-9.]+$|:/.test(address.host) ? {} : { servername: address.host }),
      ...(identity === undefined ? {} : { key: identity.privateKey, cert: identity.certificate }),
    });
    const timer = setTimeout(() => fail(undefined, `no handshake within ${timeout} ms`), timeout);
    const onAbort = (): void => fail(signal?.reason, 'interrupted');
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', (error) => {
      clearTimeout(timer);
      fail(error, error.message);
    });
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function unreachable(address: CasAddress, cause: unknown, found: string): ApiError {
  return new ApiError('API_UNREACHABLE', `CAS at ${formatAddress(address)}: an answer expected, ${found}`, {
    cause,
    hint: 'is CAS running there, and is this its client port (8081 by default)?',
  });
}
