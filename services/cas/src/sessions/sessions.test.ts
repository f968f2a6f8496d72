import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { sessionHash } from '@ensconce/policy/session-hash';
import { testFolder } from '../../test/cas-under-test.ts';
import { openState } from '../state/state.ts';
import { insecureKeyFile } from '../store/key-sealer.ts';
import type { StoredSession } from './session-record.ts';
import { Sessions } from './sessions.ts';

function sessionOf(name: string, secret: string): StoredSession {
  const text = `name: ${name}\nversion: "0.3.12"\nsecrets:\n  - {name: ${secret}, kind: ascii}\n`;
  const session = parseSessionOrThrow(text);
  const creator = { kind: 'certificate', pem: '', keyHash: '0'.repeat(64) } as const;
  const stored = { name, hash: sessionHash(session), predecessor: null, creator, text, written: '' };
  return { id: '0'.repeat(32), stored, session, secrets: { version: 1, secrets: {} } };
}

void test('whatever is kept in memory, a session that is found is the one that was written last', async (t) => {
  const folder = join(testFolder(t), 'state');
  const sealer = insecureKeyFile(folder);
  const state = await openState({ folder, sealer, random: randomBytes, now: () => new Date() });
  const written = new Map<string, string>();
  const write = (name: string, secret: string): void => {
    const next = sessionOf(name, secret);
    new Sessions(state).write(next, state.audit.position);
    written.set(name, next.stored.hash);
  };
  for (let i = 0; i < 200; i++) write(`s${i}`, 'first');
  const sessions = new Sessions(state);
  const all = (): void => {
    for (const [name, hash] of written) {
      assert.equal(sessions.find(name)?.stored.hash, hash);
      assert.equal(sessions.find(name), sessions.find(name), 'a second look within one start finds the same');
    }
  };
  all();
  all();
  for (const i of [0, 150, 199]) {
    const next = sessionOf(`s${i}`, 'second');
    sessions.write(next, state.audit.position);
    written.set(`s${i}`, next.stored.hash);
  }
  all();
  assert.equal(sessions.find('absent'), undefined);
  await state.audit.close();
  state.store.close();
});
