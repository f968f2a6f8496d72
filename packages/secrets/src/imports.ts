import type { Session } from '@ensconce/policy/session';
import { SecretsError } from './errors.ts';
import { importedValue, type Party } from './export.ts';
import type { SecretState, StoredSecret } from './stored.ts';

/** A session of the same CAS with its values, or `undefined` where there is none. */
export type LoadSession = (name: string) => Promise<(Party & { readonly state: SecretState }) | undefined>;

/** Sessions that import from each other one after the other, at most. */
const longestChain = 16;

/**
 * The values of all secrets that `importer` imports from sessions of the same CAS, by name. What an exporter imported
 * itself is followed. Throws `SECRETS_IMPORT` for what is not exported, circles, and chains that are too long.
 */
export async function resolveImports(
  importer: Party,
  load: LoadSession,
): Promise<Record<string, StoredSecret>> {
  return resolve(importer, load, [], undefined);
}

async function resolve(
  importer: Party,
  load: LoadSession,
  path: readonly string[],
  only: string | undefined,
): Promise<Record<string, StoredSecret>> {
  const found: Record<string, StoredSecret> = {};
  for (const secret of importer.session.secrets) {
    const request = secret.import;
    if (!request || request.from.casUrl !== undefined || (only !== undefined && secret.name !== only))
      continue;
    const step = `${request.from.session}:${request.secret}`;
    if (path.includes(step) || path.length >= longestChain) {
      throw new SecretsError(
        'SECRETS_IMPORT',
        `secret ${secret.name} of session ${importer.session.name}: a chain of at most ${longestChain} imports that ends expected, ${[...path, step].join(' → ')} found`,
      );
    }
    const exporter = await load(request.from.session);
    if (!exporter) {
      throw new SecretsError(
        'SECRETS_IMPORT',
        `secret ${request.secret} of session ${request.from.session}: one that is exported to ${importer.session.name} expected, none found`,
      );
    }
    const further = await resolve(exporter, load, [...path, step], request.secret);
    const state: SecretState = { version: 1, secrets: { ...further, ...exporter.state.secrets } };
    found[secret.name] = importedValue(request, importer, { ...exporter, state });
  }
  return found;
}

/** Imports that only another CAS can answer. */
export function remoteImports(session: Session): readonly string[] {
  return session.secrets.filter((secret) => secret.import?.from.casUrl !== undefined).map(({ name }) => name);
}
