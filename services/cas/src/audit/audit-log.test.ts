import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testFolder } from '../../test/cas-under-test.ts';
import { auditLogFileName, openState } from '../state/state.ts';
import { insecureKeyFile } from '../store/key-sealer.ts';
import type { AuditLog } from './audit-log.ts';

interface Opened {
  readonly audit: AuditLog;
  /** The numbers of the records that are in the file. */
  readonly written: () => number[];
  readonly close: () => Promise<void>;
}

async function openLog(t: TestContext): Promise<Opened> {
  const folder = join(testFolder(t), 'state');
  const state = await openState({
    folder,
    sealer: insecureKeyFile(folder),
    random: randomBytes,
    now: () => new Date(),
  });
  return {
    audit: state.audit,
    written: () =>
      readFileSync(join(folder, auditLogFileName), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { sequence: number }).sequence),
    close: async () => {
      await state.audit.close();
      state.store.close();
    },
  };
}

const event = { type: 'State committed' } as const;

void test('records of one turn of the event loop share one way to the disk', async (t) => {
  const { audit, written, close } = await openLog(t);
  let writes = 0;
  audit.onSync = () => writes++;
  await Promise.all([audit.append(event, 1), audit.append(event, 1), audit.note(event, 1)]);
  assert.deepEqual(written(), [1, 2, 3]);
  assert.equal(writes, 1);
  await close();
});

void test('a record that nobody waits for goes with the next, or by itself after a while', async (t) => {
  const { audit, written, close } = await openLog(t);
  let writes = 0;
  audit.onSync = () => writes++;
  const patient = audit.note(event, 1, true);
  await audit.append(event, 1);
  assert.deepEqual([await patient, writes], [{ sequence: 1, hash: (await patient).hash }, 1]);
  await audit.note(event, 1, true);
  assert.deepEqual(written(), [1, 2, 3]);
  assert.equal(writes, 2);
  await close();
});

void test('a log that is closed has the records that nobody waited for', async (t) => {
  const { audit, written, close } = await openLog(t);
  const patient = audit.note(event, 1, true);
  await close();
  assert.deepEqual(written(), [1]);
  assert.equal((await patient).sequence, 1);
});
