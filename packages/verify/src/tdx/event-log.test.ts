import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex, toHex } from '@ensconce/base/bytes';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { parseEventLog } from '@ensconce/evidence/event-log';
import { parseTdxQuote } from '@ensconce/evidence/tdx/quote';
import { rtmrExtensions, unexplainedRtmrs } from './event-log.ts';
import type { TdxClaims } from './claims.ts';

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../../shared'),
  'vectors',
);
const skip = existsSync(join(vectors, 'manifest.json')) ? false : `NOT RUN: no vectors in ${vectors}`;

const registersOf = (values: readonly Uint8Array[]): TdxClaims => {
  const [rtmr0, rtmr1, rtmr2, rtmr3] = values.map((value) => toHex(value));
  return { rtmr0, rtmr1, rtmr2, rtmr3 } as TdxClaims;
};

void test('the log of a real TD explains its RTMRs, and a changed one does not', { skip }, async () => {
  const file = join(vectors, 'tdx-eventlog/Dstack-TEE__dstack/quote-report.json');
  const report = JSON.parse(readFileSync(file, 'utf8')) as { quote: string; event_log: string };
  const events = JSON.parse(report.event_log) as { imr: number; digest: string }[];
  const claims = registersOf(parseTdxQuote(fromHex(report.quote), 'ignore').report.rtmrs);
  const extensions = events.map(({ imr, digest }) => ({ index: imr, digest: fromHex(digest) }));
  assert.deepEqual(await unexplainedRtmrs(nodeCrypto, claims, extensions), []);
  assert.notDeepEqual(await unexplainedRtmrs(nodeCrypto, claims, extensions.slice(1)), []);
});

/** A crypto-agile log with one SHA-384 event for RTMR 2. */
function logWith(digest: Uint8Array): Uint8Array {
  const u32 = (value: number): number[] => [
    value & 0xff,
    (value >> 8) & 0xff,
    (value >> 16) & 0xff,
    value >>> 24,
  ];
  const name = new TextEncoder().encode('Spec ID Event03\0');
  const start = [...u32(0), ...u32(3), ...new Uint8Array(20), ...u32(name.length), ...name];
  const event = [...u32(3), ...u32(0x8000_0006), ...u32(1), 0x0c, 0, ...digest, ...u32(2), 1, 2];
  return Uint8Array.of(...start, ...event, ...new Uint8Array(16).fill(0xff));
}

void test('a CC event log is read up to its padding', async () => {
  const digest = new Uint8Array(48).fill(7);
  const extensions = rtmrExtensions(parseEventLog(logWith(digest)));
  assert.deepEqual(extensions, [{ index: 2, digest }]);
  const zero = new Uint8Array(48);
  const rtmr2 = nodeCrypto.sha384(Uint8Array.of(...zero, ...digest)) as Uint8Array;
  assert.deepEqual(
    await unexplainedRtmrs(nodeCrypto, registersOf([zero, zero, rtmr2, zero]), extensions),
    [],
  );
  assert.deepEqual(
    await unexplainedRtmrs(nodeCrypto, registersOf([zero, zero, zero, zero]), extensions),
    [2],
  );
});
