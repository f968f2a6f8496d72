import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { listSessions, postSession, readHistory, readSession } from '@ensconce/api/client';
import { creatorFromCertificate } from '@ensconce/policy/key-hash';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import { createSecrets } from '@ensconce/secrets/state';
import { casUnderTest, clientKeys, testFolder } from '../../test/cas-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import { openState } from '../state/state.ts';
import { insecureKeyFile } from '../store/key-sealer.ts';

void test('sessions that are older than ids get one when CAS starts, and keep it', async (t) => {
  const folder = testFolder(t);
  const keys = await clientKeys();
  const creator = creatorFromCertificate(keys.certificate);
  const text = sessionText({ name: 'old', mrenclave: 'aa'.repeat(32) });
  const session = withCreator(parseSessionOrThrow(text), creator);
  const stored = {
    name: 'old',
    hash: sessionHash(session),
    predecessor: null,
    creator: { ...creator },
    text,
    written: '2025-01-01T00:00:00.000Z',
  };
  const secrets = createSecrets(session, { random: randomBytes });
  const path = join(folder, 'state');
  const state = await openState({
    folder: path,
    sealer: insecureKeyFile(path),
    random: randomBytes,
    now: () => new Date(),
  });
  state.store.commit(
    [
      { table: 'session', name: 'old', value: { ...stored, secrets: secrets as never } },
      { table: 'session-version', name: `old@${stored.hash}`, value: stored },
    ],
    undefined,
  );
  await state.audit.close();
  state.store.close();

  const first = await casUnderTest(t, { folder });
  const cas = await first.connect(keys);
  const read = await readSession(cas, 'old', { secrets: 'shown' });
  assert.equal(read.session, text);
  assert.deepEqual((await listSessions(cas)).sessions, [{ name: 'old' }]);
  const { predecessor } = await postSession(
    cas,
    sessionText({ name: 'old', mrenclave: 'bb'.repeat(32), predecessor: read.hash }),
  );
  assert.equal(predecessor, stored.hash);
  await first.cas.close();
  const again = await (await casUnderTest(t, { folder })).connect(keys);
  const history = await readHistory(again, 'old');
  assert.equal(history.id, read.id);
  assert.equal(history.versions.length, 2);
});
