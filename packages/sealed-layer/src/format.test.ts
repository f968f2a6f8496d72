import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { chunkSize, decodeUnitRecord, parseHeader, parseSummary, rootOf, summarySize } from './format.ts';
import { layerKeys } from './keys.ts';
import { key } from './test/sealing.ts';
import { Units } from './units.ts';

const bytes = new Uint8Array(readFileSync(new URL('../golden/v1.sealed', import.meta.url)));
const document = readFileSync(
  new URL('../../../docs/formats/sealed-layer.md', import.meta.url),
  'utf8',
).replaceAll(/ +/g, ' ');

function says(row: string): void {
  assert.ok(document.includes(row), `docs/formats/sealed-layer.md says: ${row}`);
}

void test('the worked example of the document is the golden file', () => {
  const header = parseHeader(bytes.subarray(0, 256), 'golden');
  const units = new Units(
    'golden',
    layerKeys(key),
    (into, position) => {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    bytes.length,
  );
  const table = units.open('table', 0, header.table, header.tableLength);
  const { summary, regions, pages } = parseSummary(table, 'golden');
  const pageRecord = decodeUnitRecord(table, summarySize);
  const page = units.open('page', 0, pageRecord, regions.end);
  const chunk = decodeUnitRecord(page, regions.chunks);
  says(`| chunk 0 | ${chunk.offset} | ${chunk.storedLength} | ${summary.streamLength} | the stream |`);
  says(
    `| page 0 | ${pageRecord.offset} | ${pageRecord.storedLength} | ${regions.end} | ${summary.nodes} inodes at 0, ` +
      `${summary.entries} entries at ${regions.entries}, ${summary.extents} extents at ${regions.extents}, ` +
      `${summary.chunks} chunk at ${regions.chunks}, heap at ${regions.heap} |`,
  );
  says(
    `| table | ${header.table.offset} | ${header.table.storedLength} | ${header.tableLength} | ${pages} page |`,
  );
  says(`root: \`${rootOf(bytes.subarray(0, 256))}\``);
  says(`${bytes.length.toLocaleString('en-US')} bytes, sealed`);
  assert.equal(chunkSize, 131_072);
});
