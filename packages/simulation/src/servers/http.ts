import { createServer } from 'node:http';
import type { Handler } from './answer.ts';

export interface RunningServer {
  /** `http://127.0.0.1:PORT`. */
  readonly base: string;
  readonly close: () => Promise<void>;
}

/** Serves a handler over HTTP; for tests and simulation only. */
export async function serveHandler(
  handler: Handler,
  listen: { readonly host: string; readonly port: number },
): Promise<RunningServer> {
  const server = createServer((request, response) => {
    const answer =
      request.method === 'GET'
        ? handler(request.url ?? '/')
        : Promise.resolve({ status: 405, headers: {}, body: new Uint8Array() });
    answer.then(
      ({ status, headers, body }) => response.writeHead(status, headers).end(body),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  return {
    base: `http://${listen.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
