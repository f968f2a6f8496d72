import type { ValueAnswer, ValuesAnswer } from '@ensconce/api/schema';
import { fromUtf8 } from '@ensconce/base/bytes';
import { renderSecret } from '@ensconce/secrets/render';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import type { ClientIdentity } from './session-access.ts';
import type { StoredSession } from './session-record.ts';
import type { Sessions } from './sessions.ts';

interface ValuesRequest {
  readonly session: string;
  readonly identity: ClientIdentity;
}

/** A secret with `export_public: true`, which anybody may read. Audited. */
export async function readPublicValue(
  state: State,
  sessions: Sessions,
  request: ValuesRequest & { readonly secret: string },
): Promise<ValueAnswer> {
  const stored = sessions.find(request.session);
  if (stored === undefined || !publicNames(stored).includes(request.secret)) {
    throw new CasError(
      'CAS_VALUE_NOT_FOUND',
      `value '${request.secret}' of session '${request.session}': it does not exist, or it is not public`,
      { hint: 'only a secret with export_public: true can be read here' },
    );
  }
  const value = render(stored, request.secret);
  await audit(state, request, [request.secret]);
  return value;
}

/** All public values of a session. A session without any looks like one that does not exist. */
export async function readPublicValues(
  state: State,
  sessions: Sessions,
  request: ValuesRequest,
): Promise<ValuesAnswer> {
  const stored = sessions.find(request.session);
  const names = stored === undefined ? [] : publicNames(stored);
  if (stored === undefined || names.length === 0) {
    throw new CasError(
      'CAS_VALUE_NOT_FOUND',
      `session '${request.session}': it does not exist, or has no public value`,
    );
  }
  const values = Object.fromEntries(names.map((name) => [name, render(stored, name)]));
  await audit(state, request, names);
  return { values };
}

const publicNames = (stored: StoredSession): string[] =>
  stored.session.secrets.filter((secret) => secret.exportPublic).map((secret) => secret.name);

function render(stored: StoredSession, name: string): ValueAnswer {
  const kind = stored.session.secrets.find((secret) => secret.name === name)?.kind;
  const value = renderSecret(stored.secrets, name, kind === 'binary' ? 'hex' : '');
  return { kind: 'string', value: fromUtf8(value), expires: null, renew: null };
}

async function audit(state: State, request: ValuesRequest, secrets: string[]): Promise<void> {
  await state.audit.append(
    { type: 'Value read', session: request.session, secrets, identity: request.identity.keyHash ?? null },
    state.store.sequence,
  );
}
