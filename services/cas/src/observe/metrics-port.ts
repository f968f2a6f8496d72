import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { closer, listen, type Listen } from '../listen.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsPortOptions {
  readonly listen: Listen;
  readonly metrics: Metrics;
  readonly health: () => Health;
  readonly log: Logger;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const connections = 64;
const timeout = 5000;

/**
 * Metrics and health over plain HTTP, for who watches this machine. It knows no secret and no name, and does nothing but
 * answer; who may reach it is the network's business.
 */
export class MetricsPort {
  readonly close: () => Promise<void>;
  readonly address: AddressInfo;

  private constructor(close: () => Promise<void>, address: AddressInfo) {
    this.close = close;
    this.address = address;
  }

  static async open(options: MetricsPortOptions): Promise<MetricsPort> {
    const server = createServer(
      { requestTimeout: timeout, headersTimeout: timeout, keepAliveTimeout: timeout, maxHeaderSize: 8192 },
      (request, response) => {
        answer(options, request)
          .then((answered) => send(response, answered, request.method === 'HEAD'))
          .catch((error: unknown) => {
            options.log.error({ err: error }, 'metrics could not be answered');
            response.destroy();
          });
      },
    );
    server.maxConnections = connections;
    server.setTimeout(timeout);
    const close = closer(server);
    return new MetricsPort(close, await listen(server, options.listen, 'metrics port'));
  }
}

const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body });

async function answer({ metrics, health }: MetricsPortOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'GET expected\n');
  switch (request.url) {
    case '/metrics':
      return { status: 200, type: metrics.contentType, body: await metrics.text() };
    case '/v1/health/live':
      return text(200, 'live\n');
    case '/v1/health/ready': {
      const { obstacles } = health();
      return obstacles.length === 0
        ? text(200, 'ready\n')
        : text(503, `not ready: ${obstacles.join(', ')}\n`);
    }
    default:
      return text(404, '/metrics, /v1/health/live or /v1/health/ready expected\n');
  }
}

function send(response: ServerResponse, { status, type, body }: Answer, headOnly: boolean): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(headOnly ? undefined : body);
}
