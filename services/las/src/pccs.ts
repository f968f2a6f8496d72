import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CollateralCache } from '@ensconce/collateral/cache';
import type { IntelSource } from '@ensconce/collateral/intel';
import { answerPccs } from '@ensconce/collateral/pccs';
import { LasError } from './errors.ts';

export interface PccsOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly cache: CollateralCache;
  /** Where what is missing comes from. */
  readonly source: IntelSource;
}

export interface Pccs {
  readonly address: AddressInfo;
  close(): Promise<void>;
}

const limits = { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384 } as const;

/**
 * Offers the collateral cache to the node in the form of Intel's PCCS, over plain HTTP: all that counts in collateral is
 * signed and dated, so whoever changes it on the way gains nothing. Never attests a process.
 */
export async function startPccs(options: PccsOptions): Promise<Pccs> {
  const server = createServer(limits, (request, response) => {
    void (async () => {
      if (request.method !== 'GET') {
        response.writeHead(405, { Allow: 'GET' }).end();
        return;
      }
      const answer = await answerPccs(options.cache, options.source, request.url ?? '/').catch(
        () => undefined,
      );
      if (answer === undefined) response.writeHead(500).end();
      else response.writeHead(answer.status, answer.headers).end(answer.body);
    })();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new LasError('LAS_SOCKET', `${options.host}:${options.port}: cannot listen there`, { cause })),
    );
    server.listen(options.port, options.host, resolve);
  });
  return {
    address: server.address() as AddressInfo,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
