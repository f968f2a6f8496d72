import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseHostRecord } from './host-record.ts';

const required = ['I0', 'B4001', 'Pa80425fb', 'S1ffffffffff', 'M22', 'Nprivileged'];
const record = (...entries: string[]): Buffer =>
  Buffer.from([...entries, 'X'].map((entry) => `${entry}\0`).join(''));

void test("the launcher's record is read", () => {
  const host = parseHostRecord(
    record('A--flag', 'A', 'EPATH=/bin', 'EA=b=c', 'EEMPTY=', 'L7 1024 18446744073709551615', ...required),
  );
  assert.deepEqual(host.arguments, ['--flag', '']);
  assert.deepEqual(Object.fromEntries(host.environment), { PATH: '/bin', A: 'b=c', EMPTY: '' });
  assert.deepEqual(host.limits, [{ resource: 7, soft: 1024n, hard: 2n ** 64n - 1n }]);
  assert.equal(host.ignoredSignals, 0n);
  assert.equal(host.blockedSignals, 0x4001n);
  assert.equal(host.permittedCapabilities, 0xa80425fbn);
  assert.equal(host.boundingSet, 0x1ffffffffffn);
  assert.equal(host.umask, 0o22);
  assert.equal(host.ownUserNamespace, false);
  assert.equal(parseHostRecord(record(...required.slice(0, -1), 'Nuserns')).ownUserNamespace, true);
});

void test('of two variables with one name the first counts; what is no variable does not', () => {
  const { environment } = parseHostRecord(
    record('EA=1', 'EA=2', 'E=x', 'Enothing', 'E__proto__=y', ...required),
  );
  assert.deepEqual(
    [...environment],
    [
      ['A', '1'],
      ['__proto__', 'y'],
    ],
  );
});

void test('arguments and variables of the host cannot speak for the launcher', () => {
  const host = parseHostRecord(record('AX', 'ANuserns', 'EPffff', 'EX=Nuserns', ...required));
  assert.deepEqual(host.arguments, ['X', 'Nuserns']);
  assert.equal(host.ownUserNamespace, false);
});

void test('anything but a whole record is refused', () => {
  const without = (tag: string): string[] => required.filter((entry) => !entry.startsWith(tag));
  const wrong: Buffer[] = [
    Buffer.alloc(0),
    Buffer.from('A'),
    Buffer.from(required.map((entry) => `${entry}\0`).join('')),
    Buffer.concat([record(...required), Buffer.from('A\0')]),
    record('Q', ...required),
    record('', ...required),
    record('L7 1024', ...required),
    record('L7 -1 5', ...required),
    record(`L7 ${'9'.repeat(10_000)} 5`, ...required),
    ...['I', 'B', 'P', 'S', 'M', 'N'].map((tag) => record(...without(tag))),
    record(...without('I'), 'Ixyz'),
    record(...without('I'), `I${'f'.repeat(17)}`),
    record(...without('M'), 'M9'),
    record(...without('N'), 'Nroot'),
  ];
  for (const bytes of wrong)
    assert.throws(() => parseHostRecord(bytes), { code: 'HOST_RECORD' }, bytes.toString().slice(0, 60));
});

void test('whatever the bytes, the answer is a record or an error of ours', () => {
  const entry = fc.oneof(
    fc.constantFrom(...required),
    fc
      .tuple(fc.constantFrom(...'A E L I B P S M N X Q'.split(' ')), fc.string())
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(entry).map((entries) => record(...entries)),
        fc.uint8Array(),
      ),
      (bytes) => {
        try {
          parseHostRecord(Buffer.from(bytes));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'HOST_RECORD');
        }
      },
    ),
  );
});
