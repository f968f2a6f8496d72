import { createDecipheriv } from 'node:crypto';
import { SignJWT } from 'jose';
import * as v from 'valibot';
import { ByteReader } from '@ensconce/base/bytes';
import { parseJson } from '@ensconce/base/json';
import type { Secret, Session } from '@ensconce/policy/session';
import { substituteSecrets } from '@ensconce/policy/substitution';
import { SecretsError } from './errors.ts';
import { generateSecrets } from './generate.ts';
import { keyTypeOf, privateKeyOf } from './key.ts';
import type { Random } from './random.ts';
import { valueBytes } from './random-value.ts';
import { secretLookup } from './render.ts';
import { storedOf, type SecretState, type StoredSecret } from './stored.ts';

/** One HTTPS exchange; the caller brings the network, its limits and its trust anchors. */
export type Exchange = (request: {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}) => Promise<{ readonly status: number; readonly body: Uint8Array }>;

export interface AzureOptions {
  readonly exchange: Exchange;
  readonly now: Date;
  readonly random: Random;
  /** Where tokens come from; `https://login.microsoftonline.com` for Azure's public cloud. */
  readonly authority: string;
}

const answerLimit = 1024 * 1024;
const tokenAnswer = v.object({ access_token: v.pipe(v.string(), v.minLength(1)) });
const secretAnswer = v.object({ value: v.string() });

/**
 * The values of all secrets that `session` imports from Azure Key Vault, by name, made of the vault's text as if the
 * session gave it as `value` (kind ascii where it names none). Throws `SECRETS_IMPORT`.
 */
export async function resolveAkvImports(
  session: Session,
  state: SecretState,
  options: AzureOptions,
): Promise<Record<string, StoredSecret>> {
  const found: Record<string, StoredSecret> = {};
  for (const secret of session.secrets) {
    if (!secret.importAkv) continue;
    const text = await vaultValue(secret, session, state, options);
    const given: Secret = { ...secret, kind: secret.kind ?? 'ascii', value: text, importAkv: undefined };
    const alone: Session = {
      ...session,
      secrets: [...session.secrets.filter(({ name }) => name !== secret.name), given],
    };
    const imported = { ...found, ...state.secrets };
    const made = await generateSecrets({ ...alone, secrets: [given] }, { ...options, imported });
    const stored = made.secrets[secret.name];
    if (stored) found[secret.name] = stored;
  }
  return found;
}

async function vaultValue(
  secret: Secret,
  session: Session,
  state: SecretState,
  options: AzureOptions,
): Promise<string> {
  const {
    vault,
    secretName,
    token: tokenName,
    decryptionKey,
  } = secret.importAkv as NonNullable<Secret['importAkv']>;
  const tokenSecret = session.secrets.find(({ name }) => name === tokenName);
  if (!tokenSecret) throw refused(secret, `an aad-token secret ${tokenName}`, 'none');
  const token = await accessToken(tokenSecret, session, state, options);
  const base = /^https?:\/\//.test(vault) ? vault.replace(/\/+$/, '') : `https://${vault}`;
  const { status, body } = await options.exchange({
    method: 'GET',
    url: `${base}/secrets/${encodeURIComponent(secretName)}?api-version=7.4`,
    headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
  });
  if (status !== 200) throw refused(secret, 'the secret from the vault', `status ${status}`);
  const { value } = read(secretAnswer, body, secret);
  if (decryptionKey === undefined) return value;
  const key = storedOf(state.secrets, decryptionKey, 'binary');
  if (!key) throw refused(secret, `a value for ${decryptionKey}`, 'none');
  return openEnvelope(value, valueBytes(key), secret);
}

/** The client credentials grant of OAuth 2.0, by password or by a signed assertion (RFC 6749 §4.4, RFC 7523 §2.2). */
async function accessToken(
  secret: Secret,
  session: Session,
  state: SecretState,
  options: AzureOptions,
): Promise<string> {
  const url = `${options.authority}/${encodeURIComponent(secret.tenantId ?? '')}/oauth2/v2.0/token`;
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: secret.clientId ?? '',
    scope: 'https://vault.azure.net/.default',
  });
  if (secret.applicationSecret !== undefined) {
    form.set('client_secret', substituteSecrets(secret.applicationSecret, secretLookup(session, state)));
  } else {
    form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    form.set('client_assertion', await assertion(secret, state, url, options));
  }
  const { status, body } = await options.exchange({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: form.toString(),
  });
  if (status !== 200) throw refused(secret, 'an access token', `status ${status}`);
  return read(tokenAnswer, body, secret).access_token;
}

async function assertion(
  secret: Secret,
  state: SecretState,
  audience: string,
  options: AzureOptions,
): Promise<string> {
  const key = storedOf(state.secrets, secret.privateKey ?? '', 'private-key');
  const thumbprint = secret.certificateThumbprint ?? '';
  if (!key || !/^(?:[0-9A-Fa-f]{2})+$/.test(thumbprint)) {
    throw refused(secret, 'an RSA private key and a certificate thumbprint in hexadecimal', 'something else');
  }
  const signingKey = privateKeyOf(key.pkcs8);
  if (keyTypeOf(signingKey) !== 'RSA') throw refused(secret, 'an RSA private key', 'another type');
  const issued = Math.floor(options.now.getTime() / 1000);
  return new SignJWT({})
    .setProtectedHeader({
      alg: 'RS256',
      typ: 'JWT',
      x5t: Buffer.from(thumbprint, 'hex').toString('base64url'),
    })
    .setIssuer(secret.clientId ?? '')
    .setSubject(secret.clientId ?? '')
    .setAudience(audience)
    .setJti(options.random(16).toHex())
    .setNotBefore(issued)
    .setExpirationTime(issued + 600)
    .sign(signingKey);
}

/**
 * SCONE's envelope of a vault value: base64 of 0x00A1, 0x0002, a length (u16), nonce (12 bytes), ciphertext, tag (16 bytes),
 * AES-256-GCM. What the length counts is not published; the tag, not the length, says whether the value is genuine.
 */
function openEnvelope(text: string, key: Uint8Array, secret: Secret): string {
  try {
    const reader = new ByteReader(new Uint8Array(Buffer.from(text, 'base64')), 'vault envelope');
    const [magic, version] = [reader.u16be('magic'), reader.u16be('version')];
    if (magic !== 0x00a1 || version !== 2) throw new TypeError('another envelope');
    reader.u16be('length');
    const nonce = reader.bytes(12, 'nonce');
    const ciphertext = reader.bytes(Math.max(0, reader.remaining - 16), 'ciphertext');
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
    decipher.setAuthTag(reader.bytes(16, 'tag'));
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new SecretsError(
      'SECRETS_IMPORT',
      `secret ${secret.name}: a value encrypted with its decryption_key expected, another found`,
      { cause },
    );
  }
}

function read<T extends v.GenericSchema>(schema: T, body: Uint8Array, secret: Secret): v.InferOutput<T> {
  const result = v.safeParse(schema, parseJson(body, `answer for secret ${secret.name}`, answerLimit));
  if (result.success) return result.output;
  throw refused(secret, 'an answer in the form of the Azure API', 'another');
}

/** Never holds an answer's body: it may hold what was asked for. */
function refused(secret: Secret, expected: string, found: string): SecretsError {
  return new SecretsError('SECRETS_IMPORT', `secret ${secret.name}: ${expected} expected, ${found} found`);
}
