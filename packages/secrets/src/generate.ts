import { secretsByName } from '@ensconce/policy/secret-format';
import type { Secret, Session } from '@ensconce/policy/session';
import { givenCertificate, issueCertificate } from './certificate.ts';
import { SecretsError } from './errors.ts';
import { createKey, createPublic, privateKeyOf } from './key.ts';
import { createPgpKey } from './pgp-key.ts';
import type { Random } from './random.ts';
import { createAscii, createBinary } from './random-value.ts';
import { belongsInVault, keptValue, type Previous } from './state.ts';
import { storedOf, type SecretState, type Stored, type StoredKind, type StoredSecret } from './stored.ts';

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
 * delivery. What is made of an import that is not in `imported` has none yet either, nor has what a vault is to keep:
 * {@link renewSecrets} makes it once import or vault can be had. What survives an update: ascii, binary and pgp-key of the same name, kind and size; a private
 * key where both versions say `migrate: true`; certificates never. Throws `SECRETS_VALUE` for a given value that its
 * kind cannot take.
 */
export async function generateSecrets(session: Session, options: GenerateOptions): Promise<SecretState> {
  const secrets: Record<string, StoredSecret> = {};
  for (const secret of session.secrets) {
    if (isImported(secret)) continue;
    const kept = keptValue(secret, options.previous);
    const stored =
      kept ?? (belongsInVault(session, secret) ? undefined : await createIndependent(secret, options));
    if (stored) secrets[secret.name] = stored;
  }
  if (session.secretConfig?.storeIn === 'akv') return { version: 1, secrets };
  const made = await new Derivation(session, { ...options.imported, ...secrets }, options).makeAll();
  return { version: 1, secrets: { ...secrets, ...made } };
}

/**
 * The same state in which everything is there and good: made where it was missing, certificates made anew where it is time
 * to renew them or what they are made of has changed, issuers before what they issue. The very same object where there is
 * nothing to do. A certificate that cannot be renewed now is kept until it has expired; after that it is missing. Keys
 * stay.
 *
 * @param names what to look at (`neededSecrets`); all if absent.
 */
export async function renewSecrets(
  session: Session,
  state: SecretState,
  options: GenerateOptions & { readonly names?: ReadonlySet<string> | undefined },
): Promise<SecretState> {
  const { imported, names } = options;
  const independent: Record<string, StoredSecret> = {};
  for (const secret of session.secrets) {
    if (isImported(secret) || Object.hasOwn(state.secrets, secret.name)) continue;
    if (names !== undefined && !names.has(secret.name)) continue;
    const stored = await createIndependent(secret, options);
    if (stored) independent[secret.name] = stored;
  }
  const known = { ...imported, ...state.secrets, ...independent };
  const derivation = new Derivation(session, known, options, state.secrets);
  const made = { ...independent, ...(await derivation.makeAll(names)) };
  const changed = Object.entries(made).filter(([name, stored]) => state.secrets[name] !== stored);
  const gone = new Set([...derivation.expired].filter((name) => made[name] === undefined));
  if (changed.length === 0 && gone.size === 0) return state;
  const kept = Object.entries(state.secrets).filter(([name]) => !gone.has(name));
  return { version: 1, secrets: { ...Object.fromEntries(kept), ...Object.fromEntries(changed) } };
}

/**
 * Whether {@link renewSecrets} would give this very state back for those names, as long as no certificate is due ({@link nextRenewal}).
 * `false` where something comes from elsewhere, or is made anew each time. Throws `SECRETS_VALUE` as that would.
 *
 * @param names with all that they are made of (`neededSecrets`).
 */
export function isSettled(session: Session, { secrets }: SecretState, names: ReadonlySet<string>): boolean {
  return session.secrets.every((secret) => {
    const { name, kind, privateKey, issuer } = secret;
    if (!names.has(name)) return true;
    if (isImported(secret) || !Object.hasOwn(secrets, name)) return false;
    const key = privateKey === undefined ? undefined : storedOf(secrets, privateKey, 'private-key');
    const by = issuer === undefined ? undefined : storedOf(secrets, issuer, 'x509');
    if ((privateKey !== undefined && key === undefined) || (issuer !== undefined && by === undefined))
      return false;
    if (kind === 'public-key') {
      const made = createPublic(secret, key);
      return made === undefined || made.spki === storedOf(secrets, name, kind)?.spki;
    }
    if (!isCertificate(secret)) return true;
    const certificate = storedOf(secrets, name, 'x509');
    return certificate !== undefined && fits(certificate, secret, key, by);
  });
}

/** When the first certificate of these is due, milliseconds since 1970; infinite where none ever is. One that could not be renewed in time stays due. */
export function nextRenewal({ secrets }: SecretState): number {
  const times = Object.values(secrets).flatMap((secret) =>
    secret.kind === 'x509' && secret.renew !== undefined ? [Date.parse(secret.renew)] : [],
  );
  return Math.min(...times);
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

/** Makes what is derived from other secrets: certificates and public keys. */
class Derivation {
  readonly #session: Session;
  readonly #known: Readonly<Record<string, StoredSecret>>;
  readonly #existing: Readonly<Record<string, StoredSecret>>;
  readonly #options: GenerateOptions;
  readonly #byName: ReadonlyMap<string, Secret>;
  readonly #made: Record<string, StoredSecret> = {};
  readonly #done = new Set<string>();
  /** Certificates that were there, have expired and could not be replaced. */
  readonly expired = new Set<string>();

  constructor(
    session: Session,
    known: Readonly<Record<string, StoredSecret>>,
    options: GenerateOptions,
    existing: Readonly<Record<string, StoredSecret>> = {},
  ) {
    this.#session = session;
    this.#known = known;
    this.#existing = existing;
    this.#options = options;
    this.#byName = secretsByName(session);
  }

  async makeAll(names?: ReadonlySet<string>): Promise<Record<string, StoredSecret>> {
    for (const secret of this.#session.secrets) {
      if (isImported(secret) || (names !== undefined && !names.has(secret.name))) continue;
      if (secret.kind === 'public-key') this.#note(secret, this.#publicKey(secret));
      else if (isCertificate(secret)) await this.#certificate(secret);
    }
    return { ...this.#made };
  }

  #note(secret: Secret, made: StoredSecret | undefined): void {
    if (made !== undefined) this.#made[secret.name] = made;
    this.#done.add(secret.name);
  }

  #publicKey(secret: Secret): StoredSecret | undefined {
    const made = createPublic(secret, this.#parent(secret, secret.privateKey, 'private-key'));
    const before = storedOf(this.#existing, secret.name, 'public-key');
    return before !== undefined && before.spki === made?.spki ? before : (made ?? before);
  }

  async #certificate(secret: Secret): Promise<Stored<'x509'> | undefined> {
    if (this.#done.has(secret.name)) return storedOf(this.#made, secret.name, 'x509');
    const before = storedOf(this.#existing, secret.name, 'x509');
    const certificate = await this.#better(secret, before);
    this.#note(secret, certificate);
    return certificate;
  }

  async #better(secret: Secret, before: Stored<'x509'> | undefined): Promise<Stored<'x509'> | undefined> {
    const { now, random } = this.#options;
    const key = this.#parent(secret, secret.privateKey, 'private-key');
    const issuer = await this.#issuer(secret);
    const complete = (secret.privateKey === undefined || key) && (secret.issuer === undefined || issuer);
    if (before !== undefined && (!complete || isGood(before, secret, key, issuer, now)))
      return this.#unexpired(secret, before);
    if (secret.value !== undefined) return givenCertificate(secret, key, issuer);
    if (!complete) return undefined;
    // Sessions before 0.3 have no private-key secrets: the certificate brings its own.
    const pkcs8 = key?.pkcs8 ?? before?.pkcs8 ?? createKey({ ...secret, value: undefined }).pkcs8;
    try {
      return await issueCertificate(secret, { now, random, key: privateKeyOf(pkcs8), issuer });
    } catch (error) {
      if (before === undefined || !(error instanceof SecretsError)) throw error;
      return this.#unexpired(secret, before);
    }
  }

  /** What was given is its author's to replace, also when it has expired. */
  #unexpired(secret: Secret, before: Stored<'x509'>): Stored<'x509'> | undefined {
    if (before.renew === undefined || Date.parse(before.notAfter) > this.#options.now.getTime())
      return before;
    this.expired.add(secret.name);
    return undefined;
  }

  async #issuer(secret: Secret): Promise<Stored<'x509'> | undefined> {
    if (secret.issuer === undefined) return undefined;
    const named = this.#byName.get(secret.issuer);
    if (named !== undefined && !isImported(named) && isCertificate(named)) return this.#certificate(named);
    return this.#parent(secret, secret.issuer, 'x509');
  }

  /** The secret that `secret` is made of; `undefined` where it is an import that is not here. */
  #parent<K extends StoredKind>(secret: Secret, name: string | undefined, kind: K): Stored<K> | undefined {
    if (name === undefined) return undefined;
    const stored = storedOf(this.#known, name, kind);
    if (stored !== undefined) return stored;
    const named = this.#byName.get(name);
    if (named !== undefined && isImported(named) && !Object.hasOwn(this.#known, name)) return undefined;
    throw new SecretsError(
      'SECRETS_IMPORT',
      `secret ${secret.name}: ${name} of the kind ${kind} expected, none found`,
    );
  }
}

/** Whether a certificate can stay: not due, and over the key and by the issuer of today. */
function isGood(
  before: Stored<'x509'>,
  secret: Secret,
  key: Stored<'private-key'> | undefined,
  issuer: Stored<'x509'> | undefined,
  now: Date,
): boolean {
  if (before.renew !== undefined && Date.parse(before.renew) <= now.getTime()) return false;
  return fits(before, secret, key, issuer);
}

function fits(
  before: Stored<'x509'>,
  secret: Secret,
  key: Stored<'private-key'> | undefined,
  issuer: Stored<'x509'> | undefined,
): boolean {
  if (key !== undefined && before.pkcs8 !== key.pkcs8) return false;
  return issuer === undefined || before.issuers[0] === issuer.certificate || isWholeChain(secret);
}

/** Whether the session gives a certificate together with its issuers: such a chain does not follow the issuer's secret. */
function isWholeChain({ value }: Secret): boolean {
  return typeof value === 'string' && value.split('-----BEGIN CERTIFICATE-----').length > 2;
}

function isCertificate({ kind }: Secret): boolean {
  return kind === 'x509' || kind === 'x509-ca';
}

function isImported(secret: Secret): boolean {
  return secret.import !== undefined || secret.importAkv !== undefined;
}
