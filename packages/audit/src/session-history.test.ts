import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { webCrypto } from '@ensconce/crypto-web/provider';
import { attested, read, WrittenLog } from '../test/written-log.ts';
import { AuditError, type AuditErrorCode } from './errors.ts';
import { auditEvent, releasedFrom } from './event.ts';
import * as v from 'valibot';
import { SessionHistory, type ProvedRecord } from './session-history.ts';

const failsWith =
  (...codes: AuditErrorCode[]) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof AuditError, String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    return true;
  };

/** Session `a` is concerned by its own records and by the releases of others that import from it. */
function written(): WrittenLog {
  const log = new WrittenLog();
  for (let i = 0; i < 20; i++) {
    log.add(read('a'));
    log.addUnsigned(attested('b', i % 3 === 0 ? ['a'] : []));
    log.add(read('c'));
  }
  log.add(read('a', true));
  return log;
}

async function open(log: WrittenLog, session: string, note?: string): Promise<SessionHistory> {
  return SessionHistory.open(nodeCrypto, await log.key(), session, note ?? (await log.statement(session)));
}

async function take(history: SessionHistory, records: readonly ProvedRecord[]): Promise<void> {
  for (const record of records) await history.add(record);
  if (!history.complete) throw new AuditError('AUDIT_INCOMPLETE', 'records are missing at the end');
}

void test('all records of a session are there, also releases to the services of others', async () => {
  const log = written();
  const history = await open(log, 'a');
  assert.equal(history.count, 28);
  const released: string[] = [];
  while (!history.complete) {
    const record = await history.add(log.proved(history.next));
    const event = v.parse(auditEvent, record.event);
    if (releasedFrom(event, 'a').secrets.length > 0) released.push(event.type);
  }
  assert.deepEqual(released, [
    'Session read',
    ...Array.from({ length: 7 }, () => 'Service configured without evidence'),
  ]);
});

void test('a session that nothing concerns has an empty list, and that is signed too', async () => {
  const log = written();
  const history = await open(log, 'never');
  assert.ok(history.complete);
  assert.equal(history.count, 0);
  await assert.rejects(history.add(log.proved(2)), failsWith('AUDIT_INCOMPLETE'));
});

void test('a browser checks the same list', async () => {
  const log = written();
  const history = await SessionHistory.open(webCrypto, await log.key(), 'a', await log.statement('a'));
  await take(
    history,
    log.ofSession('a').map((sequence) => log.proved(sequence)),
  );
});

void test('a list with a record missing, twice, swapped or of somebody else is refused', async () => {
  const log = written();
  const all = log.ofSession('a');
  await fc.assert(
    fc.asyncProperty(
      fc.nat(all.length - 1),
      fc.constantFrom('missing', 'twice', 'swapped', 'other'),
      async (at, how) => {
        const list = [...all];
        if (how === 'missing') list.splice(at, 1);
        if (how === 'twice') list.splice(at, 0, list[at] as number);
        if (how === 'swapped')
          list.splice(
            Math.max(0, at - 1),
            2,
            ...list
              .slice(Math.max(0, at - 1))
              .slice(0, 2)
              .toReversed(),
          );
        if (how === 'other') list[at] = 4;
        await assert.rejects(
          open(log, 'a').then((history) =>
            take(
              history,
              list.map((sequence) => log.proved(sequence)),
            ),
          ),
          failsWith('AUDIT_INCOMPLETE'),
        );
      },
    ),
    { numRuns: 60 },
  );
});

void test('a count that is too small does not begin with the newest record that there is', async () => {
  const log = written();
  const older = await log.statement('a', { count: 27, last: log.ofSession('a')[1] as number });
  // CAS itself would have to sign that; what it does not sign is refused.
  const forged = older.replace('\n27\n', '\n26\n');
  await assert.rejects(open(log, 'a', forged), failsWith('AUDIT_SIGNATURE'));
  await assert.rejects(open(log, 'b', await log.statement('a')), failsWith('AUDIT_INCOMPLETE'));
  await assert.rejects(open(log, 'a', (await log.checkpoint()).note), failsWith('AUDIT_SIGNATURE'));
  await assert.rejects(open(log, 'a', await new WrittenLog().statement('a')), failsWith('AUDIT_SIGNATURE'));
});

void test('a record that was changed, or proved for another tree, is refused', async () => {
  const log = written();
  const newest = log.ofSession('a')[0] as number;
  const good = log.proved(newest);
  const changed = { ...good, record: { ...good.record, at: '2027-01-01T00:00:00.000Z' } };
  await assert.rejects(
    open(log, 'a').then((history) => history.add(changed)),
    failsWith('AUDIT_PROOF'),
  );
  const statement = await log.statement('a');
  log.add(read('c'));
  await assert.rejects(
    open(log, 'a', statement).then((history) => history.add(log.proved(newest))),
    failsWith('AUDIT_PROOF'),
  );
});
