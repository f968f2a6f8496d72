import type { Secret, Session } from '@ensconce/policy/session';
import { givenCertificate, issueCertificate } from './certificate.ts';
import { SecretsError } from './errors.ts';
import { createKey, createPublic, privateKeyOf } from './key.ts';
import { createPgpKey } from './pgp-key.ts';
import type { Random } from './random.ts';
import { createAscii, createBinary } from './random-value.ts';
import { keptValue, type Previous } from './state.ts';
import { storedOf, type SecretState, type Stored, type StoredSecret } from './stored.ts';

export interface GenerateOptions {
  readonly random: Random;
  readonly now: Date;
  /** The version that is replaced. */
  readonly previous?: Previous | undefined;
  /** Values of imported secrets by name: a certificate may be issued by an imported authority. */
  readonly imported?: Readonly<Record<string, StoredSecret>> | undefined;
}

/**
 * The values for every secret of `session` that CAS itself makes or is given; imports have no entry, tokens are made at
 * delivery. What survives an update: ascii, binary and pgp-key of the same name, kind and size; a private key where both
 * versions say `migrate: true`; certificates never. Throws `SECRETS_VALUE` for a given value that its kind cannot take.
 */
export async function generateSecrets(session: Session, options: GenerateOptions): Promise<SecretState> {
  const secrets: Record<string, StoredSecret> = {};
  for (const secret of session.secrets) {
    if (secret.import || secret.importAkv) continue;
    const stored = keptValue(secret, options.previous) ?? (await createIndependent(secret, options));
    if (stored) secrets[secret.name] = stored;
  }
  const known = { ...options.imported, ...secrets };
  for (const secret of session.secrets) {
    if (secret.kind !== 'public-key' || secret.import) continue;
    const stored = createPublic(
      secret,
      secret.privateKey === undefined ? undefined : storedOf(known, secret.privateKey, 'private-key'),
    );
    if (stored) secrets[secret.name] = stored;
  }
  return { version: 1, secrets: { ...secrets, ...(await certificates(session, known, {}, options)) } };
}

/**
 * The same state with certificates whose time to renew has come, and those below them, made anew; the very same object
 * where there are none. Keys stay.
 */
export async function renewSecrets(
  session: Session,
  state: SecretState,
  options: GenerateOptions,
): Promise<SecretState> {
  const due = dueForRenewal(session, state, options.now);
  if (due.size === 0) return state;
  const kept = Object.fromEntries(Object.entries(state.secrets).filter(([name]) => !due.has(name)));
  const fresh = await certificates(session, { ...options.imported, ...kept }, kept, options);
  return { version: 1, secrets: { ...kept, ...fresh } };
}

/** When {@link renewSecrets} has something to do next; `undefined` where nothing ever expires. */
export function nextRenewal(state: SecretState): Date | undefined {
  const times = Object.values(state.secrets).flatMap((stored) =>
    stored.kind === 'x509' && stored.renew !== undefined ? [Date.parse(stored.renew)] : [],
  );
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

async function createIndependent(
  secret: Secret,
  options: GenerateOptions,
): Promise<StoredSecret | undefined> {
  switch (secret.kind) {
    case 'ascii':
      return createAscii(secret, options.random);
    case 'binary':
      return createBinary(secret, options.random);
    case 'private-key':
      return createKey(secret);
    case 'pgp-key':
      return createPgpKey(secret, options.now);
    case 'config-fragment':
      return { kind: 'config-fragment', value: secret.value ?? null };
    default:
      return undefined;
  }
}

/** Certificates that `existing` lacks, issuers before what they issue. */
async function certificates(
  session: Session,
  known: Readonly<Record<string, StoredSecret>>,
  existing: Readonly<Record<string, StoredSecret>>,
  options: GenerateOptions,
): Promise<Record<string, StoredSecret>> {
  const made: Record<string, StoredSecret> = {};
  const make = async (secret: Secret): Promise<Stored<'x509'> | undefined> => {
    const done = storedOf({ ...existing, ...made }, secret.name, 'x509');
    if (done || (secret.kind !== 'x509' && secret.kind !== 'x509-ca') || secret.import) {
      return done ?? storedOf(known, secret.name, 'x509');
    }
    const key =
      secret.privateKey === undefined ? undefined : storedOf(known, secret.privateKey, 'private-key');
    if (secret.privateKey !== undefined && !key)
      throw missing(secret, `a value for its private_key ${secret.privateKey}`);
    const issuerSecret = session.secrets.find(({ name }) => name === secret.issuer);
    const issuer = issuerSecret && (await make(issuerSecret));
    if (secret.value !== undefined) return (made[secret.name] = givenCertificate(secret, key, issuer));
    if (secret.issuer !== undefined && !issuer)
      throw missing(secret, `a value for its issuer ${secret.issuer}`);
    // Sessions before 0.3 have no private-key secrets: the certificate brings its own.
    const pkcs8 = key?.pkcs8 ?? createKey({ ...secret, value: undefined }).pkcs8;
    const { now, random } = options;
    return (made[secret.name] = await issueCertificate(secret, {
      now,
      random,
      key: privateKeyOf(pkcs8),
      issuer,
    }));
  };
  for (const secret of session.secrets) await make(secret);
  return made;
}

function missing(secret: Secret, expected: string): SecretsError {
  return new SecretsError('SECRETS_IMPORT', `secret ${secret.name}: ${expected} expected, none found`);
}

function dueForRenewal(session: Session, state: SecretState, now: Date): ReadonlySet<string> {
  const due = new Set<string>();
  for (const [name, stored] of Object.entries(state.secrets)) {
    if (stored.kind === 'x509' && stored.renew !== undefined && Date.parse(stored.renew) <= now.getTime())
      due.add(name);
  }
  // What a renewed authority issued carries the old one in its chain.
  for (let before = -1; before !== due.size;) {
    before = due.size;
    for (const { name, issuer, value } of session.secrets) {
      if (issuer !== undefined && due.has(issuer) && value === undefined) due.add(name);
    }
  }
  return due;
}
