import type { ExportAnswer, ExportRequest } from '@ensconce/api/exports';
import type { SecretImport } from '@ensconce/policy/session';
import { SecretsError } from '@ensconce/secrets/errors';
import { exportedValue, exportsTo, type Importer } from '@ensconce/secrets/export';
import type { StoredSecret } from '@ensconce/secrets/stored';
import { CasError } from '../errors.ts';
import { secretsFailure } from '../sessions/secrets-failure.ts';
import { ReleaseList } from '../starts/released.ts';
import type { Binding, Bindings } from '../sessions/bindings.ts';
import type { SecretValues } from '../sessions/secret-values.ts';
import type { ClientIdentity } from '../sessions/session-access.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { State } from '../state/state.ts';

export interface ExportsContext {
  readonly state: State;
  readonly sessions: Sessions;
  readonly values: SecretValues;
  readonly bindings: Bindings;
}

/**
 * Answers another CAS, which its TLS key names: the values that are exported to that session of that CAS. All of them or
 * none; what is not exported looks like what is not there, and nothing is made or fetched for it. The other CAS vouches
 * for the name and hash of its session: the export trusts it by its key. Audited.
 */
export async function serveExports(
  context: ExportsContext,
  identity: ClientIdentity,
  request: ExportRequest,
): Promise<ExportAnswer> {
  const { keyHash } = identity;
  if (keyHash === undefined) {
    throw new CasError('CAS_IDENTITY_REQUIRED', 'exports: a client certificate expected, none shown');
  }
  const { session: name, id, hash } = request.importer;
  const importer: Importer = { name, hash, cas: keyHash };
  const trail = context.values.trail(request.timeout, request.path);
  const exports: ExportAnswer['exports'] = [];
  const bindings = new Map<string, Binding>();
  const given: { readonly session: string; readonly secret: string; readonly stored: StoredSession }[] = [];
  for (const { session, secret, sessionHash } of request.secrets) {
    const wanted: SecretImport = { from: { session, sessionHash }, secret };
    const stored = context.sessions.find(session);
    if (stored === undefined) throw none(wanted);
    const party = { session: stored.session, id: stored.id, hash: stored.stored.hash };
    const own = { name: session, id: stored.id };
    const binding: Binding = { as: 'exporter', own, other: { name, id, cas: keyHash } };
    if (!exportsTo(wanted, importer, party) || !context.bindings.allows(binding)) throw none(wanted);
    const secrets = await valuesOf(context, stored, secret, trail);
    const value = exportedValue(wanted, importer, { ...party, state: { version: 1, secrets } });
    if (value === undefined) throw none(wanted);
    exports.push({ value, id: stored.id });
    given.push({ session, secret, stored });
    bindings.set(stored.id, binding);
  }
  if (!(await context.bindings.bind([...bindings.values()]))) throw busyBinding(name);
  for (const [session, secrets] of Map.groupBy(given, ({ session }) => session)) {
    const released = new ReleaseList((exporter) => context.sessions.find(exporter));
    for (const { secret, stored } of secrets) released.addSecret(stored, secret);
    await context.state.audit.append(
      {
        type: 'Secrets exported',
        session,
        released: released.list(),
        cas: keyHash,
        importer: name,
      },
      context.state.store.sequence,
    );
  }
  return { exports };
}

async function valuesOf(
  { values }: ExportsContext,
  stored: Parameters<SecretValues['of']>[0],
  secret: string,
  trail: ReturnType<SecretValues['trail']>,
): Promise<Readonly<Record<string, StoredSecret>>> {
  try {
    const { name } = stored.stored;
    return (await values.of(stored, new Set([secret]), trail.enter({ session: name, secret }))).secrets;
  } catch (error) {
    if (!(error instanceof SecretsError)) throw error;
    // What this session imports from where is not the other CAS's business.
    throw secretsFailure(
      error,
      `secret ${secret}: a value expected, it cannot be had now`,
      'CAS_VALUE_NOT_FOUND',
    );
  }
}

/** Another session of that name was bound while this one was answered. */
function busyBinding(name: string): CasError {
  return new CasError('CAS_BUSY', `exports: session '${name}' is being bound`);
}

function none({ from, secret }: SecretImport): CasError {
  return new CasError(
    'CAS_VALUE_NOT_FOUND',
    `secret '${secret}' of session '${from.session}': it does not exist, or it is not exported to this session of this CAS`,
  );
}
