import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromUtf8, utf8 } from '@ensconce/base/bytes';
import {
  encodeDescription,
  maxLayers,
  measureDescription,
  parseDescription,
  type ImageDescription,
} from './image.ts';

const hex = (digit: string): string => digit.repeat(64);
const description: ImageDescription = {
  format: 'ensconce-image/1',
  architecture: 'amd64',
  runtime: hex('1'),
  layers: [hex('2'), hex('3')],
  cas: { identity: hex('4'), simulated: true },
};

/** Golden: images that exist were made with it, so it never changes for this format. */
const golden =
  '{"architecture":"amd64","cas":{"identity":"4444444444444444444444444444444444444444444444444444444444444444","simulated":true},"format":"ensconce-image/1","layers":["2222222222222222222222222222222222222222222222222222222222222222","3333333333333333333333333333333333333333333333333333333333333333"],"runtime":"1111111111111111111111111111111111111111111111111111111111111111"}';
const goldenMeasurement = '1392b16dbcb52be211b0aae6085f4a8795e1e0078653e892b39ebd002f969faa';

void test('a fixed description has its golden encoding and measurement', () => {
  assert.equal(fromUtf8(encodeDescription(description)), golden);
  assert.equal(measureDescription(utf8(golden)), goldenMeasurement);
  assert.deepEqual(parseDescription(utf8(golden)), description);
});

void test('every member of a description counts', () => {
  const others: ImageDescription[] = [
    { ...description, architecture: 'arm64' },
    { ...description, runtime: hex('5') },
    { ...description, layers: [hex('3'), hex('2')] },
    { ...description, layers: [hex('2')] },
    { ...description, layers: [hex('2'), hex('3'), hex('3')] },
    { ...description, cas: { ...description.cas, identity: hex('5') } },
    { ...description, cas: { ...description.cas, simulated: false } },
  ];
  const measurements = others.map((other) => measureDescription(encodeDescription(other)));
  assert.equal(new Set([goldenMeasurement, ...measurements]).size, others.length + 1);
});

void test('anything but the canonical encoding of a complete description is refused', () => {
  const change = (members: object): Uint8Array => encodeDescription({ ...description, ...members });
  const layers = (count: number): string[] => Array.from({ length: count }, () => hex('2'));
  const invalid: readonly (readonly [string, Uint8Array])[] = [
    ['DESCRIPTION_INVALID', change({ debug: true })],
    ['DESCRIPTION_INVALID', change({ cas: { ...description.cas, url: 'x' } })],
    ['DESCRIPTION_INVALID', change({ runtime: undefined })],
    ['DESCRIPTION_INVALID', change({ format: 'ensconce-image/2' })],
    ['DESCRIPTION_INVALID', change({ architecture: 'riscv64' })],
    ['DESCRIPTION_INVALID', change({ runtime: hex('A') })],
    ['DESCRIPTION_INVALID', change({ runtime: `${hex('1')}\n` })],
    ['DESCRIPTION_INVALID', change({ layers: [] })],
    ['DESCRIPTION_INVALID', change({ layers: layers(maxLayers + 1) })],
    ['DESCRIPTION_INVALID', change({ cas: { identity: hex('4'), simulated: 'true' } })],
    ['DESCRIPTION_INVALID', utf8('[]')],
    ['JSON_NOT_CANONICAL', utf8(` ${golden}`)],
    ['JSON_NOT_CANONICAL', utf8(`${golden}\n`)],
    ['JSON_NOT_CANONICAL', utf8(JSON.stringify(description))],
    ['JSON_NOT_CANONICAL', utf8('{"format":1.5}')],
    ['JSON_SYNTAX', utf8(golden.slice(0, -1))],
    ['JSON_SYNTAX', new Uint8Array(0)],
    ['JSON_SIZE', new Uint8Array(65_537)],
  ];
  for (const [code, bytes] of invalid)
    assert.throws(() => parseDescription(bytes), { code }, fromUtf8(bytes.subarray(0, 80)));
  assert.equal(parseDescription(change({ layers: layers(maxLayers) })).layers.length, maxLayers);
});

void test('a refusal does not repeat what it found', () => {
  const bytes = utf8(golden.replace('amd64', 'x'.repeat(60_000)));
  assert.throws(
    () => parseDescription(bytes),
    (error) => error instanceof Error && error.message.length < 300,
  );
});
