import { CollateralError } from './errors.ts';
import { keptHeaders, type Store, type Stored } from './disk.ts';
import { defaultRetry, getWithRetry, type RetryOptions, type Transport } from './transport.ts';

/** How long an answer may be used. Milliseconds. */
export interface Lifetime {
  /** Younger answers are used as they are. */
  readonly fresh: number;
  /** Until when, in milliseconds since 1970, an older answer may still be used while a new one is fetched; from its signed dates. */
  readonly validUntil: (entry: Stored) => number;
}

export interface CacheOptions {
  readonly store: Store;
  /** Undefined: offline, only what is stored is given. */
  readonly transport: Transport | undefined;
  readonly now: () => number;
  readonly retry?: RetryOptions;
  /** At most one request to a host in so many milliseconds: AMD's key server allows about one in ten seconds. */
  readonly spacing?: (url: string) => number;
  /** Told of fetches that failed while a stored answer was still good enough. */
  readonly onStale?: (url: string, error: unknown) => void;
}

/**
 * Answers of vendors' servers: fresh ones from the store; older ones from the store at once while a new one is fetched behind them; expired ones
 * never. Simultaneous requests for one address become one.
 */
export class CollateralCache {
  readonly #options: CacheOptions;
  readonly #running = new Map<string, Promise<Stored>>();
  readonly #turns = new Map<string, Promise<void>>();

  constructor(options: CacheOptions) {
    this.#options = options;
  }

  get store(): Store {
    return this.#options.store;
  }

  get now(): number {
    return this.#options.now();
  }

  async get(url: string, lifetime: Lifetime): Promise<Stored> {
    const { store, now, transport } = this.#options;
    const known = store.get(url);
    const age = known === undefined ? Number.POSITIVE_INFINITY : now() - known.fetchedAt;
    const usable = known !== undefined && now() <= lifetime.validUntil(known);
    if (known !== undefined && usable && age >= 0 && age < lifetime.fresh) return known;
    if (transport === undefined) {
      if (known !== undefined && usable) return known;
      throw new CollateralError(
        'COLLATERAL_FETCH',
        `${url}: a stored answer expected, ${known === undefined ? 'none' : 'an expired one'} found, and there is no network`,
        { hint: 'import a bundle: `ensconce evidence collateral import`' },
      );
    }
    const fetching = this.#fetch(url, transport);
    if (known === undefined || !usable) return fetching;
    fetching.catch((error: unknown) => this.#options.onStale?.(url, error));
    return known;
  }

  #fetch(url: string, transport: Transport): Promise<Stored> {
    const running = this.#running.get(url);
    if (running !== undefined) return running;
    const started = this.#fetchOnce(url, transport).finally(() => this.#running.delete(url));
    this.#running.set(url, started);
    return started;
  }

  /** Waits for the host's next turn. */
  async #turn(url: string): Promise<void> {
    const spacing = this.#options.spacing?.(url) ?? 0;
    if (spacing === 0) return;
    const { host } = new URL(url);
    const before = this.#turns.get(host);
    const { sleep } = this.#options.retry ?? defaultRetry;
    const free = (before ?? Promise.resolve()).then(() => sleep(spacing));
    this.#turns.set(host, free);
    await before;
  }

  async #fetchOnce(url: string, transport: Transport): Promise<Stored> {
    await this.#turn(url);
    const response = await getWithRetry(transport, url, this.#options.retry ?? defaultRetry);
    if (response.status === 404 || response.status === 410) {
      throw new CollateralError(
        'COLLATERAL_UNKNOWN',
        `${url}: an entry expected, status ${response.status} found`,
        {
          hint: 'the vendor does not know this platform',
        },
      );
    }
    if (response.status !== 200)
      throw new CollateralError(
        'COLLATERAL_RESPONSE',
        `${url}: status 200 expected, ${response.status} found`,
      );
    const headers = Object.fromEntries(
      keptHeaders.flatMap((name) => {
        const value = response.headers[name];
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const entry: Stored = { url, fetchedAt: this.#options.now(), headers, body: response.body };
    this.#options.store.set(entry);
    return entry;
  }
}
