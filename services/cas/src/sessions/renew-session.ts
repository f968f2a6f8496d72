import { nextRenewal, renewSecrets } from '@ensconce/secrets/generate';
import type { Serial } from '../state/serial.ts';
import { importedSecrets } from './imports.ts';
import { notFound } from './session-access.ts';
import type { StoredSession } from './session-record.ts';
import type { WriteContext } from './write-session.ts';

export interface RenewContext extends Pick<WriteContext, 'state' | 'sessions' | 'random' | 'now'> {
  readonly writes: Serial;
}

/** The session with no certificate in it whose time to renew has come: such are made anew first, and the change is kept. */
export async function withFreshSecrets(context: RenewContext, stored: StoredSession): Promise<StoredSession> {
  if (!isDue(stored, context.now())) return stored;
  const { state, sessions, random } = context;
  return context.writes.run(async () => {
    // Another request may have been faster.
    const present = sessions.find(stored.stored.name);
    if (present === undefined) throw notFound(stored.stored.name);
    const now = context.now();
    if (!isDue(present, now)) return present;
    const { session } = present;
    const secrets = await renewSecrets(session, present.secrets, {
      random,
      now,
      imported: await importedSecrets(sessions, { session, hash: present.stored.hash }),
    });
    const next = { ...present, secrets };
    const position = await state.audit.append(
      { type: 'Certificates renewed', session: session.name },
      state.store.sequence + 1,
    );
    sessions.write(next, position);
    return next;
  });
}

function isDue({ secrets }: StoredSession, now: Date): boolean {
  const due = nextRenewal(secrets);
  return due !== undefined && due <= now;
}
