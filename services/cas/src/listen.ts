import type { AddressInfo, Server, Socket } from 'node:net';
import { CasError } from './errors.ts';

export interface Listen {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/** Binds a server, or says why not. */
export function listen(server: Server, where: Listen, what: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      reject(
        new CasError(
          'CAS_PORT',
          `${what}: ${where.host}:${where.port} expected to be free to listen on, ${cause.code ?? 'an error'} found`,
          { cause, hint: 'stop what listens there, or give another address' },
        ),
      );
    };
    server.once('error', onError);
    server.listen(where.port, where.host, () => {
      server.off('error', onError);
      resolve(server.address() as AddressInfo);
    });
  });
}

/**
 * Ends a server: no connection is taken any more, what `settled` waits for is finished, then every connection ends, also
 * those that have not finished their handshake. Call it before listening.
 */
export function closer(server: Server, settled?: () => Promise<void>): () => Promise<void> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await settled?.();
    for (const socket of open) socket.destroy();
    await closed;
  };
}
