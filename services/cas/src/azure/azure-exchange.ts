import { request } from 'node:https';
import { SecretsError } from '@ensconce/secrets/errors';
import type { Exchange, ExchangeRequest } from '@ensconce/secrets/exchange';
import { CasError } from '../errors.ts';
import { BackOff } from '../federation/back-off.ts';
import { Gate } from '../state/gate.ts';

/** Where Azure's public cloud gives tokens. */
export const publicAuthority = 'https://login.microsoftonline.com';
/** Names of vaults of Azure's clouds end so. */
const publicVaults: readonly string[] = [
  '.vault.azure.net',
  '.vault.azure.cn',
  '.vault.usgovcloudapi.net',
  '.managedhsm.azure.net',
];

export interface AzureAccess {
  /** `https://login.microsoftonline.com`, or that of another cloud. */
  readonly authority?: string | undefined;
  /** `host[:port]` of a vault, or `.suffix` of many; Azure's own suffixes if absent. */
  readonly vaults?: readonly string[] | undefined;
  /** PEM, trusted instead of the public authorities. */
  readonly certificateAuthorities?: string | undefined;
}

/** Milliseconds for a whole exchange. */
const timeout = 4000;
const answerLimit = 1024 * 1024;

/**
 * HTTPS to Azure and to nobody else: session authors name vaults, and are not to reach other hosts with CAS. No redirect is
 * followed. A host that does not answer is left alone for a while.
 */
export function azureExchange(options: AzureAccess & { readonly clock: () => number }): Exchange {
  const authority = new URL(options.authority ?? publicAuthority).host;
  const vaults = options.vaults ?? publicVaults;
  const backOff = new BackOff();
  const gate = new Gate({ running: 32, waiting: 256 });
  return async (asked) => {
    const url = allowedUrl(asked.url, authority, vaults);
    const pause = backOff.pause(url.host, options.clock());
    if (pause > 0) throw away(url.host, `it is asked again in ${Math.ceil(pause / 1000)} s`);
    try {
      const answer = await gate.run(() => send(url, asked, options.certificateAuthorities));
      backOff.succeeded(url.host);
      return answer;
    } catch (cause) {
      if (cause instanceof CasError) throw away(url.host, 'too many at once', cause);
      backOff.failed(url.host, options.clock());
      throw away(url.host, 'none found', cause);
    }
  };
}

function allowedUrl(text: string, authority: string, vaults: readonly string[]): URL {
  const url = URL.parse(text);
  const allowed = (host: string): boolean =>
    host === authority || vaults.some((one) => (one.startsWith('.') ? host.endsWith(one) : host === one));
  if (url?.protocol === 'https:' && url.username === '' && url.password === '' && allowed(url.host))
    return url;
  throw new SecretsError(
    'SECRETS_IMPORT',
    `Azure: a vault at https://…${vaults.join(', …')} expected, ${JSON.stringify((url?.host ?? text).slice(0, 200))} found`,
    { hint: 'whoever runs CAS allows other vaults with --azure-vault' },
  );
}

function send(url: URL, asked: ExchangeRequest, ca: string | undefined): ReturnType<Exchange> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: asked.method,
        headers: asked.headers,
        minVersion: 'TLSv1.2',
        agent: false,
        signal: AbortSignal.timeout(timeout),
        ...(ca === undefined ? {} : { ca }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > answerLimit)
            incoming.destroy(new Error(`at most ${answerLimit} bytes expected, more found`));
          else chunks.push(chunk);
        });
        incoming.on('error', reject);
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(asked.body);
  });
}

function away(host: string, found: string, cause?: unknown): SecretsError {
  return new SecretsError('SECRETS_UNAVAILABLE', `Azure, ${host}: an answer expected, ${found}`, { cause });
}
