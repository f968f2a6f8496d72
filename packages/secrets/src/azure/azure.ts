import { createHash } from 'node:crypto';
import { SignJWT } from 'jose';
import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { SecretsError } from '../errors.ts';
import { keyTypeOf, privateKeyOf } from '../key.ts';
import type { Random } from '../random.ts';
import type { Exchange, ExchangeRequest } from './exchange.ts';

export interface AzureOptions {
  readonly exchange: Exchange;
  readonly now: () => Date;
  readonly random: Random;
  /** Where tokens come from: `https://login.microsoftonline.com` for Azure's public cloud. */
  readonly authority: string;
}

/** An application of Azure's directory with its proof, everything put in. */
export interface Application {
  /** The secret that describes it, for messages. */
  readonly name: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly proof:
    | { readonly password: string }
    /** `pkcs8`: base64 of DER, RSA; `thumbprint`: SHA-1 of the certificate, hexadecimal. */
    | { readonly pkcs8: string; readonly thumbprint: string };
}

const answerLimit = 1024 * 1024;
/** The Key Vault data plane API that is spoken. */
const apiVersion = '7.4';
/** Of what Key Vault itself takes, characters. */
export const longestVaultValue = 25_600;
/** Tokens that are kept, at most. */
const mostTokens = 1024;

const tokenAnswer = v.object({
  access_token: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,32768}$/)),
  expires_in: v.pipe(v.number(), v.minValue(1), v.maxValue(7 * 86_400)),
});
const tokenError = v.object({ error: v.pipe(v.string(), v.regex(/^[a-z_]{1,64}$/)) });
const secretAnswer = v.object({
  value: v.pipe(v.string(), v.maxLength(longestVaultValue)),
  id: v.optional(v.pipe(v.string(), v.maxLength(1024))),
});

interface Kept {
  readonly token: string;
  /** Milliseconds since 1970: from then on another one is fetched. */
  readonly renew: number;
}

/** The Azure calls that sessions need: tokens of applications (kept until shortly before they expire), and vaults. */
export class Azure {
  readonly #options: AzureOptions;
  /** By application and proof; used last at the end. */
  readonly #tokens = new Map<string, Kept>();
  readonly #asked = new Map<string, Promise<Kept>>();

  constructor(options: AzureOptions) {
    this.#options = options;
  }

  /** An access token for vaults, good for a while. Throws `SECRETS_IMPORT` or, where it may work later, `SECRETS_UNAVAILABLE`. */
  async token(application: Application): Promise<string> {
    const id = createHash('sha256').update(JSON.stringify(application)).digest('base64');
    const kept = this.#tokens.get(id);
    if (kept !== undefined && kept.renew > this.#options.now().getTime()) return kept.token;
    const asking = this.#asked.get(id) ?? this.#fetchToken(application).finally(() => this.#asked.delete(id));
    this.#asked.set(id, asking);
    const fresh = await asking;
    this.#tokens.delete(id);
    this.#tokens.set(id, fresh);
    if (this.#tokens.size > mostTokens) this.#tokens.delete(this.#tokens.keys().next().value ?? '');
    return fresh.token;
  }

  /** The value of a secret of a vault; the newest, or that of `version`. */
  async read(where: VaultSecret, version?: string): Promise<string> {
    const path = version === undefined ? '' : `/${version}`;
    const answer = await this.#ask(where.what, {
      method: 'GET',
      url: `${secretUrl(where)}${path}?api-version=${apiVersion}`,
      headers: { authorization: `Bearer ${where.token}`, accept: 'application/json' },
    });
    return parse(secretAnswer, answer, where.what).value;
  }

  /** Sets a secret of a vault and returns the version that it became. */
  async write(where: VaultSecret, value: string): Promise<string> {
    const answer = await this.#ask(where.what, {
      method: 'PUT',
      url: `${secretUrl(where)}?api-version=${apiVersion}`,
      headers: {
        authorization: `Bearer ${where.token}`,
        accept: 'application/json',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ value }),
    });
    const version = /\/([0-9A-Za-z]{1,64})$/.exec(parse(secretAnswer, answer, where.what).id ?? '')?.[1];
    if (version === undefined) throw refused(where.what, 'the version that the vault gave it', 'none');
    return version;
  }

  async #fetchToken(application: Application): Promise<Kept> {
    const { authority, now } = this.#options;
    const { name, tenantId, clientId, proof } = application;
    const url = `${authority}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`;
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      scope: 'https://vault.azure.net/.default',
    });
    if ('password' in proof) {
      form.set('client_secret', proof.password);
    } else {
      form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      form.set('client_assertion', await this.#assertion(application, proof, url));
    }
    const asked = now().getTime();
    const answer = await this.#ask(`token ${name}`, {
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
    });
    const { access_token: token, expires_in: lifetime } = parse(tokenAnswer, answer, `token ${name}`);
    // A tenth of its life is left for those who use it.
    return { token, renew: asked + lifetime * 900 };
  }

  /** RFC 7523 §2.2, as Azure wants it: the certificate is named by its thumbprint. */
  #assertion(
    { name, clientId }: Application,
    { pkcs8, thumbprint }: { readonly pkcs8: string; readonly thumbprint: string },
    audience: string,
  ): Promise<string> {
    const key = privateKeyOf(pkcs8);
    if (keyTypeOf(key) !== 'RSA' || !/^(?:[0-9A-Fa-f]{2})+$/.test(thumbprint)) {
      throw refused(
        `token ${name}`,
        'an RSA private key and a certificate thumbprint in hexadecimal',
        'others',
      );
    }
    const issued = Math.floor(this.#options.now().getTime() / 1000);
    return new SignJWT({})
      .setProtectedHeader({
        alg: 'RS256',
        typ: 'JWT',
        x5t: Buffer.from(thumbprint, 'hex').toString('base64url'),
      })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(audience)
      .setJti(this.#options.random(16).toHex())
      .setNotBefore(issued)
      .setExpirationTime(issued + 600)
      .sign(key);
  }

  /** The body of a good answer. No message holds any of another: it may hold what was asked for. */
  async #ask(what: string, request: ExchangeRequest): Promise<Uint8Array> {
    let answer: Awaited<ReturnType<Exchange>>;
    try {
      answer = await this.#options.exchange(request);
    } catch (cause) {
      if (cause instanceof SecretsError) throw cause;
      throw new SecretsError('SECRETS_UNAVAILABLE', `${what}: an answer of Azure expected, none found`, {
        cause,
      });
    }
    const { status, body } = answer;
    if (status >= 200 && status < 300) return body;
    if (status === 408 || status === 429 || status >= 500) {
      throw new SecretsError(
        'SECRETS_UNAVAILABLE',
        `${what}: an answer of Azure expected, status ${status} found`,
      );
    }
    throw refused(what, 'success at Azure', `status ${status}${reasonIn(body)}`);
  }
}

/** One secret of one vault, and the right to it. */
export interface VaultSecret {
  /** What it is for, for messages. */
  readonly what: string;
  /** `https://NAME.vault.azure.net`, `NAME.vault.azure.net` or `NAME`. */
  readonly vault: string;
  readonly name: string;
  readonly token: string;
}

function secretUrl({ vault, name }: VaultSecret): string {
  const trimmed = vault.replace(/\/+$/, '');
  const host = trimmed.includes('.') || trimmed.includes(':') ? trimmed : `${trimmed}.vault.azure.net`;
  return `${host.includes('://') ? host : `https://${host}`}/secrets/${encodeURIComponent(name)}`;
}

function parse<T extends v.GenericSchema>(schema: T, body: Uint8Array, what: string): v.InferOutput<T> {
  const result = v.safeParse(schema, jsonOf(body));
  if (result.success) return result.output;
  throw refused(what, 'an answer in the form of the Azure API', 'another');
}

/** `: invalid_client`, the code of OAuth (RFC 6749 §5.2), if the body has one. */
function reasonIn(body: Uint8Array): string {
  const result = v.safeParse(tokenError, jsonOf(body));
  return result.success ? ` (${result.output.error})` : '';
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return parseJson(body, 'answer of Azure', answerLimit);
  } catch {
    // A JsonError would quote nothing, but neither does it say more than the caller's own refusal.
    return undefined;
  }
}

function refused(what: string, expected: string, found: string): SecretsError {
  return new SecretsError('SECRETS_IMPORT', `${what}: ${expected} expected, ${found} found`);
}
