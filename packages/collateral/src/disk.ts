import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { CollateralError } from './errors.ts';

/** One answer as it was fetched. What is on the disk is as untrusted as the network: everything in it that counts is signed. */
export interface Stored {
  readonly url: string;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Where answers are kept. */
export interface Store {
  get(url: string): Stored | undefined;
  set(entry: Stored): void;
  all(): Stored[];
}

const schema = v.strictObject({
  format: v.literal('ensconce-collateral/1'),
  url: v.string(),
  fetchedAt: v.pipe(v.number(), v.integer(), v.minValue(0)),
  headers: v.record(v.string(), v.string()),
  body: v.pipe(v.string(), v.base64()),
});
const fileLimit = 32 * 1024 * 1024;

/** Headers that carry the chains; the rest is not kept. */
export const keptHeaders = [
  'tcb-info-issuer-chain',
  'sgx-tcb-info-issuer-chain',
  'sgx-enclave-identity-issuer-chain',
  'sgx-pck-crl-issuer-chain',
  'sgx-pck-certificate-issuer-chain',
  'tcb-evaluation-data-numbers-issuer-chain',
] as const;

export function parseStored(value: unknown): Stored | undefined {
  const result = v.safeParse(schema, value);
  if (!result.success) return undefined;
  const { url, fetchedAt, headers, body } = result.output;
  return { url, fetchedAt, headers, body: Uint8Array.fromBase64(body) };
}

export function storedToJson(entry: Stored): v.InferInput<typeof schema> {
  return { format: 'ensconce-collateral/1', ...entry, body: entry.body.toBase64() };
}

/** Keeps answers as one file each; writers replace whole files, so readers never see half of one. */
export class DiskStore implements Store {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
    } catch (cause) {
      throw new CollateralError('COLLATERAL_DISK', `${folder}: a folder that can be written expected`, {
        cause,
      });
    }
  }

  #path(url: string): string {
    return join(this.#folder, `${createHash('sha256').update(url).digest('hex')}.json`);
  }

  #read(path: string): Stored | undefined {
    try {
      return parseStored(parseJson(readFileSync(path), path, fileLimit));
    } catch {
      // A missing or damaged entry is fetched anew; what an entry says is verified wherever it is used.
      return undefined;
    }
  }

  get(url: string): Stored | undefined {
    const entry = this.#read(this.#path(url));
    return entry?.url === url ? entry : undefined;
  }

  set(entry: Stored): void {
    const path = this.#path(entry.url);
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      writeFileSync(temporary, JSON.stringify(storedToJson(entry)), { mode: 0o644 });
      renameSync(temporary, path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw new CollateralError('COLLATERAL_DISK', `${this.#folder}: a folder that can be written expected`, {
        cause,
      });
    }
  }

  all(): Stored[] {
    return readdirSync(this.#folder)
      .filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
      .map((name) => this.#read(join(this.#folder, name)))
      .filter((entry) => entry !== undefined);
  }
}

/** Keeps answers in memory; for tests and for tools that run once. */
export class MemoryStore implements Store {
  readonly #entries = new Map<string, Stored>();

  get(url: string): Stored | undefined {
    return this.#entries.get(url);
  }

  set(entry: Stored): void {
    this.#entries.set(entry.url, entry);
  }

  all(): Stored[] {
    return [...this.#entries.values()];
  }
}
