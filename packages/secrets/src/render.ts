import { concatBytes, fromUtf8, toHex, utf8 } from '@ensconce/base/bytes';
import type { Json } from '@ensconce/base/json';
import type { FragmentSource } from '@ensconce/policy/fragments';
import { resolveReference } from '@ensconce/policy/secret-format';
import type { Session } from '@ensconce/policy/session';
import type { Lookup } from '@ensconce/policy/substitution';
import { base32 } from './base32.ts';
import { SecretsError } from './errors.ts';
import { dearmor } from './pgp-key.ts';
import { valueBytes } from './random-value.ts';
import type { SecretState, Stored, StoredKind, StoredSecret } from './stored.ts';

/** One secret in one format (`hex`, `''`). Throws `SECRETS_FORMAT`. */
export function renderSecret(state: SecretState, name: string, format: string): Uint8Array {
  const stored = Object.hasOwn(state.secrets, name) ? state.secrets[name] : undefined;
  if (!stored) throw new SecretsError('SECRETS_FORMAT', `secret ${name}: a value expected, none found`);
  return renderStored(stored, name, format);
}

export function renderStored(stored: StoredSecret, name: string, format: string): Uint8Array {
  const bytes = formats[stored.kind](stored as never, format);
  if (bytes) return bytes;
  throw new SecretsError(
    'SECRETS_FORMAT',
    stored.kind === 'x509' && stored.pkcs8 === undefined && /^(?:privatekey|pkcs12)/.test(format)
      ? `secret ${name}: a certificate with its private key expected for :${format}, only the certificate is here`
      : `secret ${name}: a format of the kind ${stored.kind} expected, :${format} found`,
  );
}

type Formats = { readonly [K in StoredKind]: (stored: Stored<K>, format: string) => Uint8Array | undefined };

const formats: Formats = {
  ascii: (stored, format) => encodeBytes(valueBytes(stored), format),
  binary: (stored, format) => encodeBytes(valueBytes(stored), format),
  'private-key': (stored, format) => privateKey(stored.pkcs8, format),
  'public-key': (stored, format) => {
    if (format === '' || format === 'spki:pem') return pem('PUBLIC KEY', stored.spki);
    return format === 'spki:der' ? Uint8Array.fromBase64(stored.spki) : undefined;
  },
  x509: certificate,
  'pgp-key': (stored, format) => {
    const [half = 'privatekey', encoding = 'asciiarmored'] = format === '' ? [] : format.split(':');
    const armored =
      half === 'privatekey' ? stored.privateKey : half === 'publickey' ? stored.publicKey : undefined;
    if (armored === undefined) return undefined;
    if (encoding === 'asciiarmored') return utf8(armored);
    if (encoding === 'binary') return dearmor(armored);
    return encoding === 'base64' ? utf8(dearmor(armored).toBase64()) : undefined;
  },
  // It stands for a part of the policy, never for text.
  'config-fragment': () => undefined,
  // It is fetched before anything is made of it.
  'in-vault': () => undefined,
};

function encodeBytes(bytes: Uint8Array, format: string): Uint8Array | undefined {
  return Object.hasOwn(byteFormats, format) ? byteFormats[format]?.(bytes) : undefined;
}

const byteFormats: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  '': (bytes) => bytes,
  bin: (bytes) => bytes,
  hex: (bytes) => utf8(toHex(bytes)),
  base64: (bytes) => utf8(bytes.toBase64()),
  base64url: (bytes) => utf8(bytes.toBase64({ alphabet: 'base64url', omitPadding: true })),
  base32: (bytes) => utf8(base32(bytes, true)),
  base32nopad: (bytes) => utf8(base32(bytes, false)),
};

/** `:pem` is PKCS#8 too: the language knows no other form of a private key. */
function privateKey(pkcs8: string, format: string): Uint8Array | undefined {
  if (/^(?:|pem|pkcs8:pem|privatekey)$/.test(format)) return pem('PRIVATE KEY', pkcs8);
  return /^(?:der|pkcs8:der)$/.test(format) ? Uint8Array.fromBase64(pkcs8) : undefined;
}

function certificate(stored: Stored<'x509'>, format: string): Uint8Array | undefined {
  const { certificate: leaf, issuers, pkcs8 } = stored;
  if (format === '' || format === 'crt' || format === 'crt:pem') return pem('CERTIFICATE', leaf);
  if (format === 'crt:der') return Uint8Array.fromBase64(leaf);
  if (format === 'chain') return pem('CERTIFICATE', ...issuers);
  if (format === '.chain') return pem('CERTIFICATE', ...issuers.toReversed(), leaf);
  if (pkcs8 === undefined || !format.startsWith('privatekey')) return undefined;
  return privateKey(pkcs8, format.slice('privatekey:'.length));
}

/** One PEM block for each base64 text, RFC 7468. */
function pem(label: string, ...blocks: readonly string[]): Uint8Array {
  return concatBytes(
    ...blocks.map((block) => {
      const lines = block.match(/.{1,64}/g) ?? [];
      return utf8(`-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`);
    }),
  );
}

/** What substitution takes: references of this session to the values of this state (imports merged into it). */
export function secretLookup(session: Session, state: SecretState): Lookup {
  return (reference) => {
    const resolved = resolveReference(reference, session);
    if (!resolved || !Object.hasOwn(state.secrets, resolved.secret.name)) return undefined;
    return renderSecret(state, resolved.secret.name, resolved.format);
  };
}

/** What the policy's own references stand for: config fragments, and text, certificates and public keys as text. */
export function fragmentSource(session: Session, state: SecretState): FragmentSource {
  return (reference) => {
    const resolved = resolveReference(reference, session);
    const name = resolved?.secret.name ?? '';
    const stored = Object.hasOwn(state.secrets, name) ? state.secrets[name] : undefined;
    if (!resolved || !stored) return undefined;
    const { import: imported, importAkv } = resolved.secret;
    const pinned =
      importAkv === undefined && (imported === undefined || imported.from.sessionHash !== undefined);
    if (stored.kind === 'config-fragment') return { value: stored.value as Json, pinned };
    if (stored.kind !== 'ascii' && stored.kind !== 'x509' && stored.kind !== 'public-key') return undefined;
    return { value: fromUtf8(renderStored(stored, name, '')), pinned };
  };
}
