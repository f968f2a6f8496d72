import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { SinkSettings } from './sink-settings.ts';

/** A C2SP note is far smaller, and nothing else is read. */
const answerLimit = 65_536;

export interface SinkAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** Requests to a sink over HTTPS, CAS's own certificate shown; answers are untrusted and bounded. */
export class SinkClient {
  readonly #settings: SinkSettings;
  readonly #agent: Agent;

  /** `identity` is a PEM pair. */
  constructor(settings: SinkSettings, identity: { readonly key: string; readonly cert: string }) {
    this.#settings = settings;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      minVersion: 'TLSv1.2',
      ...identity,
      ...(settings.serverCa === undefined ? {} : { ca: settings.serverCa }),
    });
  }

  get(): Promise<SinkAnswer> {
    return this.#exchange('GET', {}, undefined);
  }

  /** Records as lines of JSON; `first` is the number of the first, `checkpoint` signs for all up to the last. */
  post(lines: Buffer, first: number, checkpoint: string): Promise<SinkAnswer> {
    const headers = {
      'content-type': 'application/x-ndjson',
      'content-length': String(lines.length),
      'ensconce-audit-first': String(first),
      'ensconce-audit-checkpoint': Buffer.from(checkpoint).toString('base64'),
    };
    return this.#exchange('POST', headers, lines);
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(
    method: 'GET' | 'POST',
    headers: Record<string, string>,
    body: Buffer | undefined,
  ): Promise<SinkAnswer> {
    const { url, timeout } = this.#settings;
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method, headers, agent: this.#agent }, (incoming) => {
        readBody(incoming).then(
          (bytes) => resolve({ status: incoming.statusCode ?? 0, body: bytes }),
          (error: unknown) => reject(error as Error),
        );
      });
      // Of the whole exchange, not of each silence: a sink that drips must not hold CAS.
      const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
      outgoing.on('close', () => clearTimeout(timer));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerLimit) {
      incoming.destroy();
      throw new Error(`an answer of at most ${answerLimit} bytes expected, more found`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
