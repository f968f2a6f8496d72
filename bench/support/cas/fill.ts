// Fills a state that has session 0 with copies of it under other names: node fill.ts STATE COUNT. Around the API, because a
// hundred thousand requests would each wait for the disk twice; what is stored is what the API stores.
import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { toHex } from '@ensconce/base/bytes';
import { sessionHash } from '@ensconce/policy/session-hash';
import { restoreSession } from '@ensconce/policy/stored';
import { parseSecretState } from '@ensconce/secrets/state';
import { storedSession } from '../../../services/cas/src/sessions/session-record.ts';
import { changesOf } from '../../../services/cas/src/sessions/sessions.ts';
import { openState } from '../../../services/cas/src/state/state.ts';
import { insecureKeyFile } from '../../../services/cas/src/store/key-sealer.ts';
import type { Change } from '../../../services/cas/src/store/store.ts';
import { sessionName } from './session.ts';

const [folder = '', count = ''] = process.argv.slice(2);
const perCommit = 1000;
const state = await openState({
  folder,
  sealer: insecureKeyFile(folder),
  random: randomBytes,
  now: () => new Date(),
});
const {
  id: _,
  secrets,
  session: value,
  sessionHash: hash,
  ...first
} = v.parse(storedSession, state.store.get('session', sessionName(0)));
const session = restoreSession(value, hash);
const total = Number(count);
for (let next = 1; next < total;) {
  const changes: Change[] = [];
  for (; next < total && changes.length < perCommit; next++) {
    const name = sessionName(next);
    const text = first.text.replace(sessionName(0), name);
    const named = { ...session, name };
    changes.push(
      ...changesOf({
        id: toHex(randomBytes(16)),
        session: named,
        secrets: parseSecretState(secrets),
        stored: { ...first, name, text, hash: sessionHash(named) },
      }),
    );
  }
  state.store.commit(changes, undefined);
}
await state.audit.close();
state.store.close();
