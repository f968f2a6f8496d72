import { fragmentNames, resolveFragments, type Resolved } from '@ensconce/policy/fragments';
import { resolveReference } from '@ensconce/policy/secret-format';
import type { Secret } from '@ensconce/policy/session';
import { SecretsError } from '@ensconce/secrets/errors';
import { fragmentSource } from '@ensconce/secrets/render';
import { neededSecrets } from '@ensconce/secrets/needed';
import type { StoredSecret } from '@ensconce/secrets/stored';
import { presentImports } from './present-imports.ts';
import type { SecretValues } from './secret-values.ts';
import type { StoredSession } from './session-record.ts';
import type { Sessions } from './sessions.ts';

/** Sessions that import from each other one after the other, at most. */
const longestChain = 16;

/**
 * The session with what its references in attestation, security and access rules stand for now. What cannot be had (not
 * exported, not there, of another form) stays a reference, and nothing satisfies it.
 *
 * @param values where to ask for what other CASes and vaults have; without it, as while a change waits for the answer, only
 *   what stands in this CAS counts.
 */
export async function resolvedSession(
  sessions: Sessions,
  stored: StoredSession,
  values?: SecretValues,
): Promise<Resolved> {
  const { session, secrets } = stored;
  const names = fragmentNames(session);
  if (names.length === 0) return { session, unresolved: [] };
  const needed = names.flatMap((name) => resolveReference({ name, format: '' }, session)?.secret.name ?? []);
  const imported = await (values === undefined
    ? presentImports(sessions, stored, neededSecrets(session, needed))
    : eachAlone(values, stored, new Set(needed)));
  const source = fragmentSource(session, { version: 1, secrets: { ...secrets.secrets, ...imported } });
  return resolveFragments(session, (reference) => {
    const fragment = source(reference);
    const secret = resolveReference(reference, session)?.secret;
    if (fragment === undefined || secret === undefined) return undefined;
    return { value: fragment.value, pinned: fragment.pinned && isFixed(sessions, secret) };
  });
}

/** Each by itself, so that one that cannot be had takes no other with it. */
async function eachAlone(
  values: SecretValues,
  stored: StoredSession,
  names: ReadonlySet<string>,
): Promise<Readonly<Record<string, StoredSecret>>> {
  const found: Record<string, StoredSecret> = {};
  for (const name of names) {
    try {
      Object.assign(found, (await values.of(stored, new Set([name]))).secrets);
    } catch (error) {
      if (!(error instanceof SecretsError)) throw error;
    }
  }
  return found;
}

/**
 * Whether the author of the session fixed the value by its text: it is given here, or in a version that is named by its hash, all
 * the way. A version that imports from wherever fixes nothing, and what another CAS does cannot be followed.
 */
function isFixed(sessions: Sessions, secret: Secret, depth = 0): boolean {
  const { import: request } = secret;
  if (request === undefined) return secret.importAkv === undefined && secret.value !== undefined;
  const { from } = request;
  if (from.sessionHash === undefined || from.casUrl !== undefined || depth >= longestChain) return false;
  const exporter = sessions.find(from.session);
  if (exporter?.stored.hash !== from.sessionHash) return false;
  const source = exporter.session.secrets.find(({ name }) => name === request.secret);
  return source !== undefined && isFixed(sessions, source, depth + 1);
}
