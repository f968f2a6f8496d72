import type { Secret, SecretKind, Session } from './session.ts';
import type { SecretReference } from './substitution.ts';

const bytes = ['', 'bin', 'hex', 'base64', 'base64url', 'base32', 'base32nopad'] as const;
const certificate = [
  '',
  'crt',
  'crt:pem',
  'crt:der',
  'privatekey',
  'privatekey:pem',
  'privatekey:pkcs8:pem',
  'privatekey:der',
  'privatekey:pkcs8:der',
  'chain',
  'pkcs12-with-private-key',
  // The older suffix, root first and the certificate itself included: no format can be written so.
  '.chain',
] as const;

/** The format suffixes of each kind; '' is none. */
const formats: Readonly<Record<SecretKind, readonly string[]>> = {
  ascii: bytes,
  binary: bytes,
  'private-key': ['', 'pem', 'pkcs8:pem', 'der', 'pkcs8:der'],
  'public-key': ['', 'spki:pem', 'spki:der'],
  x509: certificate,
  'x509-ca': certificate,
  'aad-token': [''],
  'config-fragment': [''],
  'pgp-key': [
    '',
    ...['privatekey', 'publickey'].flatMap((half) => [
      half,
      ...['asciiarmored', 'binary', 'base64'].map((form) => `${half}:${form}`),
    ]),
  ],
  jwt: [''],
};

/** `undefined` where the kind is not known here: an imported secret. */
export function formatsOf(kind: SecretKind | undefined): readonly string[] | undefined {
  return kind === undefined ? undefined : formats[kind];
}

/** The older dotted suffixes; `.chain` holds the leaf too, unlike `:chain`. */
const dotted: Readonly<Record<string, string>> = {
  crt: 'crt',
  key: 'privatekey',
  chain: '.chain',
  hex: 'hex',
  base64: 'base64',
};

const byNames = new WeakMap<readonly Secret[], ReadonlyMap<string, Secret>>();

/** The secrets of a session by name; made once for each list, since a text can refer to secrets very often. */
export function secretsByName({ secrets }: Pick<Session, 'secrets'>): ReadonlyMap<string, Secret> {
  const known = byNames.get(secrets);
  if (known !== undefined) return known;
  const made = new Map(secrets.map((secret) => [secret.name, secret]));
  byNames.set(secrets, made);
  return made;
}

/** The secret that a reference means: that of the whole name, or else that before a dotted suffix. */
export function resolveReference(
  reference: SecretReference,
  session: Pick<Session, 'secrets'>,
): { readonly secret: Secret; readonly format: string } | undefined {
  const exact = secretsByName(session).get(reference.name);
  if (exact) return { secret: exact, format: reference.format };
  const dot = reference.name.lastIndexOf('.');
  const suffix = reference.name.slice(dot + 1);
  const format = dot > 0 && Object.hasOwn(dotted, suffix) ? dotted[suffix] : undefined;
  if (format === undefined || reference.format !== '') return undefined;
  const secret = secretsByName(session).get(reference.name.slice(0, dot));
  if (!secret) return undefined;
  return { secret, format: secret.kind === 'private-key' && suffix === 'key' ? 'pkcs8:pem' : format };
}
