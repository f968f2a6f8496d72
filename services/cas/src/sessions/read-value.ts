import type { ValueAnswer, ValuesAnswer } from '@ensconce/api/schema';
import { publicValue } from '@ensconce/secrets/export';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import type { ClientIdentity } from './session-access.ts';
import type { StoredSession } from './session-record.ts';
import type { Sessions } from './sessions.ts';

interface ValuesRequest {
  readonly session: string;
  readonly identity: ClientIdentity;
}

export interface ValuesContext {
  readonly state: State;
  readonly sessions: Sessions;
  readonly refresh: (stored: StoredSession) => Promise<StoredSession>;
}

async function find(context: ValuesContext, name: string): Promise<StoredSession | undefined> {
  const found = context.sessions.find(name);
  return found === undefined ? undefined : context.refresh(found);
}

/** A secret with `export_public: true`, which anybody may read. Audited. */
export async function readPublicValue(
  context: ValuesContext,
  request: ValuesRequest & { readonly secret: string },
): Promise<ValueAnswer> {
  const stored = await find(context, request.session);
  const value =
    stored === undefined ? undefined : publicValue(stored.session, stored.secrets, request.secret);
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
  const stored = await find(context, request.session);
  const values = stored === undefined ? {} : publicValues(stored);
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
function publicValues({ session, secrets }: StoredSession): Record<string, ValueAnswer> {
  const values: [string, ValueAnswer][] = [];
  for (const { name } of session.secrets) {
    const value = publicValue(session, secrets, name);
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
