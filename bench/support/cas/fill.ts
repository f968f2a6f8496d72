// Fills a state that has session 0 with copies of it under other names: node fill.ts STATE COUNT. Around the API, because a
// hundred thousand requests would each wait for the disk twice; what is stored is what the API stores.
import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import type { Json } from '@ensconce/base/json';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import { storeSession } from '@ensconce/policy/stored';
import { storedSession } from '../../../services/cas/src/sessions/session-record.ts';
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
const record = v.parse(storedSession, state.store.get('session', sessionName(0)));
const { secrets, id: _id, session: _session, sessionHash: _hash, ...first } = record;
const session = withCreator(parseSessionOrThrow(first.text), first.creator);
const total = Number(count);
for (let next = 1; next < total;) {
  const changes: Change[] = [];
  for (; next < total && changes.length < perCommit; next++) {
    const name = sessionName(next);
    const text = first.text.replace(sessionName(0), name);
    const own = { ...session, name };
    const stored = { ...first, name, text, hash: sessionHash(own) };
    const value = {
      ...stored,
      id: randomBytes(16).toString('hex'),
      session: storeSession(own),
      sessionHash: stored.hash,
      secrets: secrets as Json,
    };
    changes.push(
      { table: 'session', name, value },
      { table: 'session-name', name, value: { name, creator: first.creator.keyHash, deleted: false } },
      { table: 'session-version', name: `${name}@${stored.hash}`, value: stored },
    );
  }
  state.store.commit(changes, undefined);
}
await state.audit.close();
state.store.close();
