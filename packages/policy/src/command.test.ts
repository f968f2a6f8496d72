import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { splitCommand } from './command.ts';

void test('white space separates, quotes and backslashes keep', () => {
  for (const [line, words] of [
    ['a  b\tc\nd ', ['a', 'b', 'c', 'd']],
    [`'a b' "c 'd'" e\\ f`, ['a b', "c 'd'", 'e f']],
    [`a"b"'c'd`, ['abcd']],
    [`"\\"\\\\\\n\\$" '\\'`, ['"\\\\n$', '\\']],
    [`'' ""`, ['', '']],
    ['$HOME `x` *', ['$HOME', '`x`', '*']],
    ['', []],
  ] as const) {
    assert.deepEqual(splitCommand(line), words, line);
  }
});

void test('open quotes and a last backslash are problems', () => {
  for (const line of ["'a", '"a', 'a\\', '"a\\']) assert.ok('message' in splitCommand(line), line);
});

void test('property: words that a shell would quote come back', () => {
  const quote = (word: string) => `'${word.replaceAll("'", `'"'"'`)}'`;
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
      assert.deepEqual(splitCommand(words.map(quote).join(' ')), words);
    }),
  );
});
