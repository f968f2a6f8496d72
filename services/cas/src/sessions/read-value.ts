import type { ValueAnswer, ValuesAnswer } from '@ensconce/api/schema';
import type { Session } from '@ensconce/policy/session';
import { SecretsError } from '@ensconce/secrets/errors';
import { publicValue } from '@ensconce/secrets/export';
import type { SecretState } from '@ensconce/secrets/stored';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import type { ClientIdentity } from './session-access.ts';
import type { SecretValues } from './secret-values.ts';
import { secretsFailure } from './secrets-failure.ts';
import type { Sessions } from './sessions.ts';

interface ValuesRequest {
  readonly session: string;
  readonly identity: ClientIdentity;
}

export interface ValuesContext {
  readonly state: State;
  readonly sessions: Sessions;
  readonly values: SecretValues;
}

/**
 * A session with those of its values that anybody may read, as they are now. Strangers make CAS ask nobody else more than
 * once a while for what cannot be had; what is still good is shown then.
 */
async function find(
  { sessions, values }: ValuesContext,
  name: string,
  secret?: string,
): Promise<{ readonly session: Session; readonly state: SecretState } | undefined> {
  const stored = sessions.find(name);
  if (stored === undefined) return undefined;
  const { session } = stored;
  const names = session.secrets.flatMap((one) =>
    one.exportPublic && (secret === undefined || one.name === secret) ? [one.name] : [],
  );
  if (names.length === 0) return undefined;
  try {
    const { secrets } = await values.of(stored, new Set(names));
    return { session, state: { version: 1, secrets } };
  } catch (error) {
    if (!(error instanceof SecretsError)) throw error;
    const message = `value of session '${name}': it cannot be had now`;
    throw secretsFailure(error, message, 'CAS_VALUE_NOT_FOUND');
  }
}

/** A secret with `export_public: true`, which anybody may read. Audited. */
export async function readPublicValue(
  context: ValuesContext,
  request: ValuesRequest & { readonly secret: string },
): Promise<ValueAnswer> {
  const found = await find(context, request.session, request.secret);
  const value = found && publicValue(found.session, found.state, request.secret);
  if (value === undefined) {
    throw new CasError(
      'CAS_VALUE_NOT_FOUND',
      `value '${request.secret}' of session '${request.session}': it does not exist, or it is not public`,
      { hint: 'only a secret with export_public: true can be read here, and only what is public of it' },
    );
  }
  await audit(context.state, request, [request.secret]);
  return value;
}

/** All public values of a session. A session without any looks like one that does not exist. */
export async function readPublicValues(
  context: ValuesContext,
  request: ValuesRequest,
): Promise<ValuesAnswer> {
  const found = await find(context, request.session);
  const values = found === undefined ? {} : publicValues(found.session, found.state);
  const names = Object.keys(values);
  if (names.length === 0) {
    throw new CasError(
      'CAS_VALUE_NOT_FOUND',
      `session '${request.session}': it does not exist, or has no public value`,
    );
  }
  await audit(context.state, request, names);
  return { values };
}

/** The public values of a session by name; a secret without a public part has none. */
function publicValues(session: Session, state: SecretState): Record<string, ValueAnswer> {
  const values: [string, ValueAnswer][] = [];
  for (const { name } of session.secrets) {
    const value = publicValue(session, state, name);
    if (value !== undefined) values.push([name, value]);
  }
  return Object.fromEntries(values);
}

/** Names in one record of the audit log. */
const namesPerRecord = 100;

async function audit(state: State, request: ValuesRequest, secrets: readonly string[]): Promise<void> {
  const { session, identity } = request;
  for (let at = 0; at < secrets.length; at += namesPerRecord) {
    await state.audit.append(
      {
        type: 'Value read',
        session,
        secrets: secrets.slice(at, at + namesPerRecord),
        identity: identity.keyHash ?? null,
      },
      state.store.sequence,
    );
  }
}
