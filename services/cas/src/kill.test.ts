import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { deleteSession, postSession, readHistory } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { startProcess } from '../test/cas-processes.ts';
import { clientKeys, testFolder } from '../test/cas-under-test.ts';
import { sessionText } from '../test/session-text.ts';

void test('a CAS that is killed at any moment loses nothing that it acknowledged', async (t) => {
  const state = join(testFolder(t), 'state');
  const identity = await clientKeys();
  const acknowledged = new Map<string, string>();
  /** Names whose acknowledged version is a tombstone. */
  const gone = new Set<string>();
  const mrenclave = 'aa'.repeat(32);
  let casIdentity: string | undefined;
  for (let round = 0; round < 5; round++) {
    const { child, port, identity: found } = await startProcess(state);
    casIdentity ??= found;
    assert.equal(found, casIdentity, 'the identity survives');
    const open = (): Promise<CasConnection> =>
      CasConnection.open({ address: { host: '127.0.0.1', port }, identity, pinned: found, timeout: 5000 });
    const reader = await open();
    for (const [name, hash] of acknowledged) {
      const [present] = (await readHistory(reader, name, { limit: 1 })).versions;
      // The last change before the kill may have been made without its answer arriving.
      assert.ok([present?.hash, present?.predecessor].includes(hash), `${name} in round ${round}`);
      acknowledged.set(name, present?.hash ?? '');
      if (present?.deleted != null) gone.add(name);
      else gone.delete(name);
    }
    reader.close();
    const exited = once(child, 'exit');
    // Counted in answers, not in time, so that a slow machine kills as late as a fast one.
    let answersLeft = 1 + Math.floor(Math.random() * 20);
    const answered = (): void => {
      answersLeft -= 1;
      if (answersLeft === 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * 20);
    };
    const workers = [0, 1, 2].map(async (worker) => {
      const cas = await open();
      for (let i = 0; ; i++) {
        const name = `w${worker}-${i % 3}`;
        const predecessor = acknowledged.get(name);
        const text = sessionText({ name, mrenclave, ...(predecessor === undefined ? {} : { predecessor }) });
        const deletes = i % 4 === 3 && predecessor !== undefined && !gone.has(name);
        const { hash } = deletes ? await deleteSession(cas, name, predecessor) : await postSession(cas, text);
        if (deletes) gone.add(name);
        else gone.delete(name);
        acknowledged.set(name, hash);
        answered();
      }
    });
    await Promise.allSettled(workers);
    await exited;
  }
  assert.ok(acknowledged.size > 0);
});
