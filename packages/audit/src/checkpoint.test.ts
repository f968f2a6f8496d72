import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { read, WrittenLog } from '../test/written-log.ts';
import { checkContinues, Checkpoint, openCheckpoint } from './checkpoint.ts';
import { AuditKey, openEndorsement, verifierKey } from './endorsement.ts';
import { AuditError, type AuditErrorCode } from './errors.ts';
import { parseNote } from './note.ts';
import { consistencyProof } from './tree.ts';

const failsWith = (code: AuditErrorCode) => (error: unknown) =>
  error instanceof AuditError && error.code === code;

void test('a checkpoint is a signed note that other tools read', async () => {
  const log = new WrittenLog();
  const { note, size, origin } = await log.checkpoint();
  assert.equal(size, 1);
  assert.equal(origin, `ensconce-cas/${log.identity}`);
  const root = log.tree.root.toBase64();
  assert.match(
    note,
    new RegExp(`^${origin}\n1\n${root.replace(/[+]/g, '\\+')}\n\n— ${origin} [A-Za-z0-9+/=]{92}\n$`),
  );
  assert.match(await verifierKey(nodeCrypto, await log.key()), new RegExp(`^${origin}\\+[0-9a-f]{8}\\+A`));
});

void test('a witness may sign beside CAS', async () => {
  const log = new WrittenLog();
  const { note } = await log.checkpoint();
  const both = `${note}— witness.example/w ${Buffer.alloc(76).toString('base64')}\n`;
  assert.equal((await openCheckpoint(nodeCrypto, await log.key(), both)).size, 1);
});

void test('what CAS did not sign is no checkpoint', async () => {
  const log = new WrittenLog();
  const key = await log.key();
  const { note } = await log.checkpoint();
  await fc.assert(
    fc.asyncProperty(fc.nat(note.length - 1), fc.string({ minLength: 1, maxLength: 3 }), async (at, put) => {
      const changed = note.slice(0, at) + put + note.slice(at + put.length);
      fc.pre(changed !== note);
      await assert.rejects(
        openCheckpoint(nodeCrypto, key, changed),
        (error: unknown) => error instanceof AuditError,
      );
    }),
    { numRuns: 500 },
  );
  // The last character before the padding has two bits that no byte has.
  const last = note.lastIndexOf('=') - 1;
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const same = alphabet[alphabet.indexOf(note[last] as string) + 1] as string;
  const respelt = note.slice(0, last) + same + note.slice(last + 1);
  await assert.rejects(openCheckpoint(nodeCrypto, key, respelt), failsWith('AUDIT_FORM'));
  const other = await new WrittenLog().checkpoint();
  await assert.rejects(openCheckpoint(nodeCrypto, key, other.note), failsWith('AUDIT_SIGNATURE'));
  await assert.rejects(
    openCheckpoint(nodeCrypto, key, await log.statement('a')),
    failsWith('AUDIT_SIGNATURE'),
    'a statement on a session is no checkpoint',
  );
  const odd = await log.note(`ensconce-cas/${log.identity}`, 'x\n1\nAAAA\n');
  await assert.rejects(openCheckpoint(nodeCrypto, key, odd), failsWith('AUDIT_FORM'));
});

void test('notes from anybody are read or refused, never more', () => {
  const safe = (text: string): void => {
    try {
      parseNote(text);
    } catch (error) {
      assert.ok(failsWith('AUDIT_FORM')(error), String(error));
    }
  };
  fc.assert(fc.property(fc.string({ maxLength: 200 }), safe));
  fc.assert(
    fc.property(fc.array(fc.constantFrom('\n', '— ', 'a', ' ', 'AAAA', '=', '\r', '\u0000')), (parts) =>
      safe(parts.join('')),
    ),
  );
  assert.throws(() => parseNote('a'.repeat(20_000)), failsWith('AUDIT_FORM'));
});

void test('a checkpoint continues the one kept, or the alarm is raised', async () => {
  const log = new WrittenLog();
  for (let i = 0; i < 9; i++) log.add(read('a'));
  const kept = await log.checkpoint();
  const fork = new WrittenLog({ log, records: 7 });
  const shorter = await fork.checkpoint();
  for (let i = 0; i < 3; i++) fork.add(read('b'));
  const replaced = await fork.checkpoint();
  for (let i = 0; i < 9; i++) fork.add(read('b'));
  const longer = await fork.checkpoint();
  log.add(read('a'));
  const good = await log.checkpoint();
  await checkContinues(nodeCrypto, kept, good, consistencyProof(log.tree, 10, 11));
  await checkContinues(nodeCrypto, good, good, []);
  const proof = consistencyProof(fork.tree, 10, longer.size);
  for (const [what, newer, path] of [
    ['rolled back', shorter, []],
    ['another of the same length', replaced, []],
    ['forked and longer', longer, proof],
    ['no proof', good, []],
  ] as const) {
    await assert.rejects(checkContinues(nodeCrypto, kept, newer, path), failsWith('AUDIT_FORKED'), what);
  }
  const elsewhere = await new WrittenLog().checkpoint();
  await assert.rejects(checkContinues(nodeCrypto, kept, elsewhere, []), failsWith('AUDIT_OTHER_CAS'));
});

void test('an audit key is endorsed by its CAS alone, and nothing is made by hand', async () => {
  const log = new WrittenLog();
  const other = new WrittenLog();
  const { endorsement, identity } = log;
  await assert.rejects(
    openEndorsement(nodeCrypto, endorsement, other.identity),
    failsWith('AUDIT_OTHER_CAS'),
  );
  for (const wrong of [
    { ...endorsement, auditKey: other.endorsement.auditKey },
    { ...endorsement, endorsement: other.endorsement.endorsement },
    { ...endorsement, endorsement: 'AAAA' },
  ]) {
    await assert.rejects(openEndorsement(nodeCrypto, wrong, identity), failsWith('AUDIT_SIGNATURE'));
  }
  assert.throws(() => Reflect.construct(AuditKey, [Symbol('audit key'), {}]), TypeError);
  assert.throws(() => Reflect.construct(Checkpoint, [Symbol('checkpoint'), {}]), TypeError);
});
