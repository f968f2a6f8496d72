// Fills a state that has session 0 with copies of it under other names: node fill.ts STATE COUNT. Around the API, because as
// many requests would each wait for the disk twice; what is stored is what the API stores, each session with its record in
// the audit log. Only that many sessions share a commit.
import { randomBytes } from 'node:crypto';
import { toHex } from '@ensconce/base/bytes';
import { sessionHash } from '@ensconce/policy/session-hash';
import { changesOf, Sessions } from '../../../services/cas/src/sessions/sessions.ts';
import { openState } from '../../../services/cas/src/state/state.ts';
import { insecureKeyFile } from '../../../services/cas/src/store/key-sealer.ts';
import type { Change } from '../../../services/cas/src/store/store.ts';
import { sessionName } from './session.ts';

const [folder = '', count = ''] = process.argv.slice(2);
/** A commit hashes anew nearly all of the root's buckets, so many sessions share one. */
const perCommit = 20_000;
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
  const records: Promise<unknown>[] = [];
  const commit = state.store.sequence + 1;
  for (const end = Math.min(total, next + perCommit); next < end; next++) {
    const name = sessionName(next);
    const session = { ...first.session, name };
    const text = first.stored.text.replace(sessionName(0), name);
    const stored = { ...first.stored, name, text, hash: sessionHash(session) };
    const copy = { ...first, id: toHex(randomBytes(16)), stored, session };
    changes.push(...changesOf(copy, state.store.nextVersionOf('session', name)));
    const identity = stored.creator.keyHash;
    records.push(state.audit.append({ type: 'Session created', session: name, identity }, commit));
  }
  await Promise.all(records);
  state.store.commit(changes, state.audit.position);
}
await state.audit.close();
state.store.close();
