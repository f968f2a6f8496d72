import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvidenceReportError } from './errors.ts';
import { parseTime } from './time.ts';

void test('times are read in the forms in which people and tools write them, in UTC unless they say otherwise', () => {
  const rows: [string, string][] = [
    ['1750400000', '2025-06-20T06:13:20.000Z'],
    ['2025-06-20', '2025-06-20T00:00:00.000Z'],
    ['2025-06-20T06:13:20', '2025-06-20T06:13:20.000Z'],
    ['2025-06-20 06:13:20', '2025-06-20T06:13:20.000Z'],
    ['2025-06-20T06:13:20Z', '2025-06-20T06:13:20.000Z'],
    ['2025-06-20T08:13:20+02:00', '2025-06-20T06:13:20.000Z'],
    ['2025-06-20T06:13:20.346000+00:00', '2025-06-20T06:13:20.346Z'],
  ];
  const zone = process.env['TZ'];
  try {
    process.env['TZ'] = 'Asia/Tokyo';
    for (const [text, expected] of rows) assert.equal(parseTime(text).toISOString(), expected, text);
  } finally {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  }
});

void test('what is no time is refused', () => {
  for (const text of ['', 'now', '2025-06', '2025-13-01', '2025-06-20T25:00:00Z', '1750400000000', '-1'])
    assert.throws(() => parseTime(text), EvidenceReportError, text);
});
