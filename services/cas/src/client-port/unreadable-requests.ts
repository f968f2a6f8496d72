import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { CasError, publicError } from '../errors.ts';
import { newRequestId } from '../observe/request-id.ts';
import type { Random } from '../store/record-cipher.ts';
import { errorBody } from './error-body.ts';

export interface UnreadableOptions {
  /** Bytes of request line and headers. */
  readonly headers: number;
  /** Milliseconds for a whole request to arrive, and for the answers that are under way to one that cannot be read. */
  readonly timeout: number;
  readonly random: Random;
  readonly onAnswered: (answer: {
    readonly request: string;
    readonly code: string;
    readonly status: number;
  }) => void;
}

interface Connection {
  /** Answers that are not out yet. */
  readonly open: Set<ServerResponse>;
  /** The request that was begun last. */
  readonly last?: IncomingMessage;
}

/** Milliseconds for a peer to take the answer. */
const linger = 2000;

/**
 * Answers requests that the HTTP parser does not let through in the form of all other errors, each the last on its
 * connection. Nothing of what was sent is in an answer.
 */
export class UnreadableRequests {
  readonly #bodies = new WeakMap<IncomingMessage, (error: CasError) => void>();
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #ended = new WeakSet<Duplex>();

  /** Settles as `body` does, or fails where the rest of the request cannot be read. */
  async whileReading<T>(incoming: IncomingMessage, body: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#bodies.set(incoming, reject);
    try {
      return await Promise.race([body, promise]);
    } finally {
      this.#bodies.delete(incoming);
      promise.catch(() => undefined);
      body.catch(() => undefined);
    }
  }

  listen(server: Server, options: UnreadableOptions): void {
    server.on('request', (incoming, response) => {
      const { open } = this.#connections.get(incoming.socket) ?? { open: new Set() };
      this.#connections.set(incoming.socket, { open: open.add(response), last: incoming });
      response.once('close', () => open.delete(response));
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const refusal = refusalOf(error.code ?? '', options);
      if (refusal === undefined) socket.destroy();
      else this.#refuse(socket, refusal, options);
    });
    server.on('checkExpectation', (_, response) => {
      const refusal = invalid('Expect: 100-continue or none expected, another found');
      const { head, body } = answerTo(refusal, options);
      response.writeHead(head.status, head.headers).end(body);
    });
    server.on('connect', (_, socket) => {
      this.#refuse(socket, invalid('a method of this API expected, CONNECT found'), options);
    });
  }

  #refuse(socket: Duplex, refusal: CasError, options: UnreadableOptions): void {
    // What the peer sends on is no request any more.
    if (this.#ended.has(socket)) return;
    this.#ended.add(socket);
    const { open, last } = this.#connections.get(socket) ?? { open: new Set<ServerResponse>() };
    destroyIn(socket, open.size === 0 ? linger : options.timeout);
    if (last?.complete === false) {
      const response = [...open].find(({ req }) => req === last);
      const fail = this.#bodies.get(last);
      if (response?.headersSent === false) response.setHeader('connection', 'close');
      // It has its answer already, or one is on its way that does not need the rest: a second would be taken for another's.
      if (fail !== undefined) fail(refusal);
      else if (response === undefined) socket.destroy();
      else response.once('close', () => socket.destroy());
      return;
    }
    const answer = (): void => {
      if (open.size > 0) return;
      if (!socket.writable) {
        socket.destroy();
        return;
      }
      const { head, body } = answerTo(refusal, options);
      const lines = Object.entries(head.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const status = `HTTP/1.1 ${head.status} ${STATUS_CODES[head.status] ?? ''}\r\n`;
      socket.end(`${status}${lines.join('')}\r\n${body}`);
      destroyIn(socket, linger);
    };
    // Before the answers to earlier requests are out, it would be taken for one of them.
    for (const response of open) response.once('close', answer);
    answer();
  }
}

function destroyIn(socket: Duplex, milliseconds: number): void {
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  socket.once('close', () => clearTimeout(timer));
}

function answerTo(
  refusal: CasError,
  { random, onAnswered }: UnreadableOptions,
): {
  readonly head: { readonly status: number; readonly headers: Readonly<Record<string, string>> };
  readonly body: string;
} {
  const shown = publicError(refusal);
  const body = JSON.stringify(errorBody(shown));
  const request = newRequestId(random);
  onAnswered({ request, code: shown.code, status: shown.status });
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'x-request-id': request,
    ...(shown.retry ? { 'retry-after': '1' } : {}),
    connection: 'close',
  };
  return { head: { status: shown.status, headers }, body };
}

/** By the code that Node gives; undefined where nobody is left to be answered. */
function refusalOf(code: string, { headers, timeout }: UnreadableOptions): CasError | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new CasError(
      'CAS_HEADERS_TOO_LARGE',
      `request: at most ${headers} bytes of request line and headers expected, more found`,
    );
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return new CasError(
      'CAS_REQUEST_TOO_LARGE',
      'request: a chunk without extensions expected, long ones found',
    );
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new CasError(
      'CAS_REQUEST_TIMEOUT',
      `request: all of it within ${timeout} ms expected, less of it found`,
    );
  }
  return code.startsWith('HPE_') ? invalid('HTTP/1.1 expected, something else found') : undefined;
}

const invalid = (what: string): CasError => new CasError('CAS_REQUEST_INVALID', `request: ${what}`);
