import * as v from 'valibot';
import { toHex } from '@ensconce/base/bytes';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator } from '@ensconce/policy/session';
import { parseSecretState } from '@ensconce/secrets/state';
import type { State } from '../state/state.ts';
import type { Random } from '../store/record-cipher.ts';
import { changesOf } from './sessions.ts';
import { storedVersion } from './session-record.ts';

/** As sessions stood before they had an id. */
const withoutId = v.strictObject({ ...storedVersion.entries, secrets: v.unknown() });

/** Gives the sessions of a state that is older than their ids what they lack, in one commit. */
export function upgradeSessions(state: State, random: Random): void {
  for (const _ of state.store.all('session-name')) return;
  const changes = [...state.store.all('session')].flatMap((value) => {
    const { secrets, ...stored } = v.parse(withoutId, value);
    return changesOf(
      {
        id: toHex(random(16)),
        stored,
        session: withCreator(parseSessionOrThrow(stored.text), stored.creator),
        secrets: parseSecretState(secrets),
      },
      state.store.nextVersionOf('session', stored.name),
    );
  });
  if (changes.length > 0) state.store.commit(changes, undefined);
}
