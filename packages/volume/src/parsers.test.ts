import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeCommit, encodeCommit } from './commit-record.ts';
import { entriesOf } from './directories.ts';
import { VolumeError } from './errors.ts';
import { evpAead } from './evp-aead.ts';
import { decodeHead, encodeHead, headSize } from './head.ts';
import { decodeHeader, headerSize } from './header.ts';
import { decodeInode } from './inode.ts';
import { JournalWriter, readJournal } from './journal.ts';
import type { Operation } from './journal.ts';
import { VolumeKeys } from './keys.ts';
import { Page } from './page.ts';
import { decodeCell, encodeCell } from './units.ts';

const keys = new VolumeKeys(new Uint8Array(32).fill(1), new Uint8Array(16));
const aead = evpAead();

/** Parsers that throw for what they do not take. */
const strict: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  header: (bytes) => decodeHeader(bytes, new Uint8Array(32)),
  page: (bytes) => Page.decode(bytes, undefined),
  journal: (bytes) => readJournal(bytes, () => undefined),
  inode: (bytes) => decodeInode(1, bytes),
  entries: (bytes) => [...entriesOf(bytes)],
  cell: (bytes) => decodeCell(bytes),
};

for (const [name, parse] of Object.entries(strict)) {
  void test(`the parser of a ${name} takes any bytes, or refuses them with an error of its own`, () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          fc.uint8Array({ minLength: headerSize, maxLength: headerSize }),
        ),
        (bytes) => {
          try {
            parse(bytes);
          } catch (error) {
            assert.ok(error instanceof VolumeError, `${name}: ${String(error)}`);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
}

void test('anything that is no commit record or no head is none', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ minLength: headSize, maxLength: headSize }),
      ),
      (bytes) => {
        decodeCommit(bytes);
        assert.equal(decodeHead(bytes, keys, aead), undefined);
      },
    ),
  );
});

void test('records come back as they were written', () => {
  const tag = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
  const u48 = fc.integer({ min: 0, max: 2 ** 48 });
  fc.assert(
    fc.property(
      u48,
      u48,
      tag,
      tag,
      u32,
      u32,
      fc.boolean(),
      (sequence, epoch, previous, digest, a, b, checkpoint) => {
        const root = checkpoint
          ? { segment: a, offset: b, length: 5, tag: previous.subarray(0, 16) }
          : undefined;
        const record = { sequence, epoch, previous, journalFrames: a, journalDigest: digest, root };
        assert.deepEqual(plain(decodeCommit(encodeCommit(record))), plain(record));
        const head = { epoch, sequence, start: { segment: a, offset: b }, previous };
        assert.deepEqual(plain(decodeHead(encodeHead(head, keys, aead, digest), keys, aead)), plain(head));
        const reference = {
          first: 1,
          count: 2,
          skip: 3,
          length: 4096,
          segment: a,
          offset: b,
          tag: digest.slice(0, 16),
        };
        assert.deepEqual(decodeCell(encodeCell([reference, reference])), [reference, reference]);
      },
    ),
  );
});

const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, item: unknown) =>
      ArrayBuffer.isView(item) ? [...(item as Uint8Array)] : item,
    ),
  );

void test('a journal gives the changes back, with puts of one key right after another taken together', () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 5 });
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 30 }) }),
    fc.record({ kind: fc.constant('delete' as const), key }),
    fc.record({ kind: fc.constant('usage' as const), segment: fc.nat(), live: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const batches: Uint8Array[] = [];
      const writer = new JournalWriter(200, (batch) => batches.push(batch.slice()));
      const apply = (map: Map<string, string>, change: Operation): void => {
        const id = change.kind === 'usage' ? `u${change.segment}` : `k${change.key.toHex()}`;
        if (change.kind === 'delete') map.delete(id);
        else map.set(id, change.kind === 'put' ? change.value.toHex() : String(change.live));
      };
      const expected = new Map<string, string>();
      for (const change of operations) {
        apply(expected, change);
        if (change.kind === 'put') writer.put(change.key, change.value);
        else if (change.kind === 'delete') writer.delete(change.key);
        else writer.usage(change.segment, change.live);
      }
      writer.flush();
      const found = new Map<string, string>();
      for (const batch of batches) readJournal(batch, (change) => apply(found, change));
      assert.deepEqual(found, expected);
    }),
  );
});
