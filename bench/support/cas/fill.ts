// Fills a state that has session 0 with copies of it under other names: node fill.ts STATE COUNT. Around the API, because a
// hundred thousand requests would each wait for the disk twice; what is stored is what the API stores.
import { randomBytes } from 'node:crypto';
import { toHex } from '@ensconce/base/bytes';
import { sessionHash } from '@ensconce/policy/session-hash';
import { changesOf, Sessions } from '../../../services/cas/src/sessions/sessions.ts';
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
const first = new Sessions(state).find(sessionName(0));
if (first === undefined) throw new Error(`bench: session ${sessionName(0)} expected, none found`);
const total = Number(count);
for (let next = 1; next < total;) {
  const changes: Change[] = [];
  for (; next < total && changes.length < perCommit; next++) {
    const name = sessionName(next);
    const session = { ...first.session, name };
    const text = first.stored.text.replace(sessionName(0), name);
    const stored = { ...first.stored, name, text, hash: sessionHash(session) };
    changes.push(...changesOf({ ...first, id: toHex(randomBytes(16)), stored, session }));
  }
  state.store.commit(changes, undefined);
}
await state.audit.close();
state.store.close();
