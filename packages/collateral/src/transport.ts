import { CollateralError } from './errors.ts';

/** An answer of a vendor's server. Untrusted: all that counts in it is signed. */
export interface Response {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Sends one GET request. The network is an argument, so that tests and offline machines need none. */
export type Transport = (
  url: string,
  options: { readonly timeout: number; readonly limit: number },
) => Promise<Response>;

/** Answers that a later try may better. */
const temporary: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export interface RetryOptions {
  /** How often in all. */
  readonly tries: number;
  /** Milliseconds before the second try; doubled for each further one. */
  readonly pause: number;
  /** Milliseconds; a server that asks for more patience (Retry-After) is given up. */
  readonly longestPause: number;
  /** Milliseconds for one try. */
  readonly timeout: number;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

export const defaultRetry: RetryOptions = {
  tries: 4,
  pause: 500,
  longestPause: 30_000,
  timeout: 15_000,
  sleep: (milliseconds) =>
    new Promise((resolve) => {
      setTimeout(resolve, milliseconds);
    }),
};

/** Bytes. */
const bodyLimit = 16 * 1024 * 1024;

function retryAfter(response: Response | undefined): number {
  const seconds = Number(response?.headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : 0;
}

/** GET with time-outs and back-off. Gives every answer that is not temporary; throws `CollateralError` where none comes. */
export async function getWithRetry(
  transport: Transport,
  url: string,
  retry: RetryOptions,
): Promise<Response> {
  let failure: unknown;
  let response: Response | undefined;
  for (let attempt = 0; attempt < retry.tries; attempt++) {
    if (attempt > 0) {
      const pause = Math.max(retry.pause * 2 ** (attempt - 1), retryAfter(response));
      if (pause > retry.longestPause) break;
      await retry.sleep(pause);
    }
    try {
      response = await transport(url, { timeout: retry.timeout, limit: bodyLimit });
      if (!temporary.has(response.status)) return response;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
  }
  throw new CollateralError(
    'COLLATERAL_FETCH',
    `${url}: an answer expected, ${response === undefined || failure !== undefined ? 'none came' : `status ${response.status} found`}`,
    { cause: failure, hint: 'check the network, or import a bundle: `ensconce evidence collateral import`' },
  );
}

/** The transport of production: the runtime's own fetch. */
export const fetchTransport: Transport = async (url, { timeout, limit }) => {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeout), redirect: 'error' });
  const parts: Uint8Array[] = [];
  let size = 0;
  if (response.body !== null) {
    for await (const part of response.body) {
      size += part.length;
      if (size > limit)
        throw new CollateralError(
          'COLLATERAL_RESPONSE',
          `${url}: at most ${limit} bytes expected, more found`,
        );
      parts.push(part);
    }
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return { status: response.status, headers: Object.fromEntries(response.headers), body };
};
