import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { utf8 } from '@ensconce/base/bytes';
import { base32, fromBase32 } from './base32.ts';
import { SecretsError } from './errors.ts';
import { judgeOneTimePassword, oneTimePassword } from './one-time-password.ts';

const secret = utf8('12345678901234567890');
const at = (seconds: number) => new Date(seconds * 1000);

void test('RFC 4226 appendix D and RFC 6238 appendix B', () => {
  const codes = [
    '755224',
    '287082',
    '359152',
    '969429',
    '338314',
    '254676',
    '287922',
    '162583',
    '399871',
    '520489',
  ];
  assert.deepEqual(
    codes.map((_, counter) => oneTimePassword(secret, counter)),
    codes,
  );
  for (const [seconds, code] of [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [20_000_000_000, '353130'],
  ] as const) {
    assert.equal(judgeOneTimePassword(secret, code, at(seconds), undefined).accepted, true);
  }
});

void test('a code is good in its step and the next, once', () => {
  const now = 1_800_000_015;
  const step = Math.floor(now / 30);
  const code = oneTimePassword(secret, step);
  assert.deepEqual(judgeOneTimePassword(secret, code, at(now), undefined), { accepted: true, step });
  assert.deepEqual(judgeOneTimePassword(secret, code, at(now + 30), step - 1), { accepted: true, step });
  assert.deepEqual(judgeOneTimePassword(secret, code, at(now), step), { accepted: false, reason: 'used' });
  const earlier = oneTimePassword(secret, step - 1);
  assert.deepEqual(judgeOneTimePassword(secret, earlier, at(now), step), { accepted: false, reason: 'used' });
  for (const [wrong, when] of [
    [code, now + 60],
    [code, now - 30],
    ['', now],
    [`${code}0`, now],
    ['abcdef', now],
  ] as const) {
    assert.deepEqual(judgeOneTimePassword(secret, wrong, at(when), undefined), {
      accepted: false,
      reason: 'wrong',
    });
  }
});

void test('a secret of less than 128 bits is refused', () => {
  assert.throws(() => judgeOneTimePassword(secret.subarray(0, 15), '000000', at(0), undefined), SecretsError);
});

void test('property: base32 as people type it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const typed = base32(bytes, true)
        .toLowerCase()
        .replaceAll(/(.{4})/g, '$1 ');
      assert.deepEqual([...fromBase32(typed)], [...bytes]);
      assert.deepEqual([...fromBase32(base32(bytes, false))], [...bytes]);
    }),
  );
  assert.throws(() => fromBase32('abc1'), SecretsError);
});
