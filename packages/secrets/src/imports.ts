import type { Secret, SecretImport } from '@ensconce/policy/session';
import { SecretsError } from './errors.ts';
import { exportedValue, exportsTo, notExported, type Party } from './export.ts';
import type { SecretState, StoredKind, StoredSecret } from './stored.ts';
import type { Trail } from './trail.ts';

/** Another CAS, as an import names it. */
export interface OtherCas {
  readonly url: string;
  /** Key hash of its identity key. */
  readonly key: string;
}

/** Where imported values come from. */
export interface ImportSource {
  /** A session of the same CAS, as `importer` knows it; `undefined` where there is none of that name. */
  readonly find: (name: string, importer: Party) => Party | undefined;
  /**
   * The values of that session that its secret is made of, imports of its own included; from then on `importer` is bound to
   * this very session.
   */
  readonly here: (exporter: Party, secret: string, importer: Party, trail: Trail) => Promise<SecretState>;
  /** Values that another CAS exports to `importer`, in the order of `requests`. */
  readonly elsewhere: (
    cas: OtherCas,
    importer: Party,
    requests: readonly SecretImport[],
    trail: Trail,
  ) => Promise<readonly StoredSecret[]>;
}

export interface Imports {
  readonly values: Readonly<Record<string, StoredSecret>>;
  /** Why a value is not there: `SECRETS_IMPORT` or, where it may be later, `SECRETS_UNAVAILABLE`. */
  readonly failures: ReadonlyMap<string, SecretsError>;
}

/**
 * The values that `importer` imports from other sessions under these names. What an exporter imported itself is followed.
 * What is not exported, is on a circle or at the end of too long a way fails; each import by itself, as not everything
 * that was made of it needs it again.
 */
export async function resolveImports(
  importer: Party,
  names: ReadonlySet<string>,
  source: ImportSource,
  trail: Trail,
): Promise<Imports> {
  const imports = importer.session.secrets.flatMap((secret) =>
    secret.import !== undefined && names.has(secret.name) ? [{ secret, request: secret.import }] : [],
  );
  const values: Record<string, StoredSecret> = {};
  const failures = new Map<string, SecretsError>();
  const attempt = async (
    secrets: readonly Secret[],
    action: () => Promise<readonly StoredSecret[]>,
  ): Promise<void> => {
    try {
      const found = await action();
      for (const [index, secret] of secrets.entries()) values[secret.name] = fitting(secret, found[index]);
    } catch (error) {
      if (!(error instanceof SecretsError)) throw error;
      for (const { name } of secrets) if (!Object.hasOwn(values, name)) failures.set(name, error);
    }
  };
  for (const { secret, request } of imports) {
    if (request.from.casUrl === undefined)
      await attempt([secret], async () => [await valueHere(request, importer, source, trail)]);
  }
  const groups = Object.values(
    Object.groupBy(imports, ({ request: { from } }) => `${from.casUrl} ${from.casKey}`),
  );
  await Promise.all(
    groups.map(async (group = []) => {
      if (group[0]?.request.from.casUrl === undefined) return;
      const requests = group.map(({ request }) => request);
      await attempt(
        group.map(({ secret }) => secret),
        async () => valuesElsewhere(requests, importer, source, trail),
      );
    }),
  );
  return { values, failures };
}

async function valueHere(
  request: SecretImport,
  importer: Party,
  source: ImportSource,
  trail: Trail,
): Promise<StoredSecret> {
  const { session } = request.from;
  const next = trail.enter({ session, secret: request.secret });
  const exporter = source.find(session, importer);
  const target = { name: importer.session.name, hash: importer.hash };
  if (!exporter || !exportsTo(request, target, exporter)) throw notExported(request, target.name);
  const state = await source.here(exporter, request.secret, importer, next);
  const value = exportedValue(request, target, { ...exporter, state });
  if (value === undefined) throw notExported(request, target.name);
  return value;
}

function valuesElsewhere(
  requests: readonly SecretImport[],
  importer: Party,
  source: ImportSource,
  trail: Trail,
): Promise<readonly StoredSecret[]> {
  const cas = otherCas(requests[0]);
  for (const { from, secret } of requests) trail.enter({ cas: cas.key, session: from.session, secret });
  return source.elsewhere(cas, importer, requests, trail);
}

function otherCas(request: SecretImport | undefined): OtherCas {
  const { casUrl = '', casKey } = request?.from ?? {};
  if (casKey !== undefined) return { url: casUrl, key: casKey };
  throw new SecretsError('SECRETS_IMPORT', `import from CAS ${casUrl}: its cas_key expected, none found`, {
    hint: 'no other CAS here has a software key: name the one CAS by cas_key (ensconce cas show-identification)',
  });
}

/** What is imported under a kind is of that kind. */
function fitting(secret: Secret, value: StoredSecret | undefined): StoredSecret {
  const { kind } = secret;
  const wanted: StoredKind | undefined =
    kind === 'x509-ca' ? 'x509' : kind === 'aad-token' ? 'ascii' : kind === 'jwt' ? undefined : kind;
  if (value !== undefined && (kind === undefined || value.kind === wanted)) return value;
  throw new SecretsError(
    'SECRETS_IMPORT',
    `secret ${secret.name}: a value of the kind ${kind ?? 'any'} expected from the import, another found`,
  );
}
