import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseSession } from './parse.ts';
import { templateSession } from './template.ts';

const whole = `name: ns/app
version: "0.3.12"
predecessor: ~
access_policy: {read: [CREATOR], update: [{require-at-least-1: [CREATOR, 3s1pm8W63s1pm8W63s1pm8W63s1pm8W63s1pm8W6]}]}
services:
- name: &n app
  image_name: image
  command: sh -c 'x "y"' "$$SCONE::key:hex$$" @@1
  environment: {A: 1, '\\@\\@B': x}
  attestation: [{mrenclave: [${'ab'.repeat(32)}], signer: {mrsigner: ${'cd'.repeat(32)}, isvprodid: 1, isvsvn_min: 2}}, $$SCONE::frag$$]
images:
- {name: image, volumes: [{name: v, path: /v}], injection_files: [/a, {path: /b, content: "$X", permission: 0o100}]}
volumes: [{name: v, export: [{session: ../b}]}]
secrets:
- {name: key, kind: binary, size: 32}
- {name: frag, kind: config-fragment, value: {mrenclave: [a, b]}}
- {name: k, kind: private-key}
- {name: ca, kind: x509-ca, private_key: k, valid_for: 90 days, san: ["dns:a.b"]}
- {name: j, kind: jwt, signer: k, validity: {for: 24h}, payload: {sub: *n}}
security: {attestation: {tolerate: [debug-mode], ignore_advisories: "*"}}
secret_config: {store_in: !cas }
`;

void test('the text that is mutated here is itself accepted', () => {
  assert.deepEqual(
    parseSession(whole).problems.filter(({ severity }) => severity === 'error'),
    [],
  );
});

/** More where time is no object: `ENSCONCE_FUZZ_RUNS=100000`. */
const runs = Number(process.env['ENSCONCE_FUZZ_RUNS'] ?? 400);

/** Pieces that mean something to YAML or to the language. */
const piece = fc.constantFrom(
  '{',
  '}',
  '[',
  ']',
  ':',
  ': ',
  '- ',
  ', ',
  '\n',
  '  ',
  '&a ',
  '*a',
  '*n',
  '!x ',
  '? ',
  '|',
  '>',
  '"',
  "'",
  '#',
  '%',
  '@',
  '`',
  '\t',
  '\0',
  '---\n',
  '...\n',
  '<<: *n',
  '~',
  'null',
  '$$SCONE::',
  '$$',
  '$X',
  '${',
  'a: ',
  '\ufeff',
  '\ud800',
  '\u2028',
  '__proto__: ',
  'constructor: ',
  '-----BEGIN CERTIFICATE-----',
);
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat(40),
  add: fc.array(piece, { maxLength: 4 }),
});

void test('any text gives a session or problems with a place, never an exception', () => {
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
      let text = whole;
      for (const { at, cut, add } of mutations) {
        const start = Math.floor(at * text.length);
        text = text.slice(0, start) + add.join('') + text.slice(start + cut);
      }
      checkText(text);
    }),
    { numRuns: runs },
  );
});

void test('texts that are nothing but YAML syntax', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => checkText(pieces.join(''))),
    { numRuns: runs },
  );
});

void test('bytes that are no text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { session, problems } = parseSession(bytes);
      assert.equal(
        session === undefined,
        problems.some(({ severity }) => severity === 'error'),
      );
    }),
  );
});

function checkText(text: string): void {
  const lines = text.split('\n');
  const { session, problems } = parseSession(text, { variables: { X: 'x' } });
  assert.equal(
    session === undefined,
    problems.some(({ severity }) => severity === 'error'),
  );
  for (const { line, column, message } of problems) {
    assert.ok(line >= 1 && line <= lines.length, message);
    assert.ok(column >= 1 && column <= (lines[line - 1] ?? '').length + 1, `${line}:${column} ${message}`);
  }
  const templated = templateSession(text, { X: 'x' });
  if (session && templated.text !== undefined)
    assert.deepEqual(parseSession(templated.text).session, session);
}

/** What would take time or memory without bounds. Each is refused by one of the limits. */
const bombs: Readonly<Record<string, () => string | Uint8Array>> = {
  '100 MB': () => new Uint8Array(100 * 1024 * 1024).fill(0x20),
  'a million flow collections': () => '['.repeat(1_000_000),
  'a hundred maps inside each other': () => `name: s\nsecrets: ${'{a: '.repeat(100)}1${'}'.repeat(100)}\n`,
  'a hundred lists inside each other': () => `${'- '.repeat(100)}a\n`,
  'a billion laughs': () =>
    `a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 10 }, () => `*a${i}`).join(', ')}]\n`).join('')}`,
  'a hundred thousand keys': () => Array.from({ length: 100_000 }, (_, i) => `k${i}: 1\n`).join(''),
  'a hundred thousand documents': () => '---\n'.repeat(100_000),
  'many anchors': () => '&a '.repeat(300_000),
  'thousands of misspelt names': () =>
    `name: s\nversion: "0.3"\nsecrets:\n${Array.from({ length: 4000 }, (_, i) => `- {name: ${'a'.repeat(50)}${i}, kind: ascii}\n`).join('')}services:\n${Array.from({ length: 2000 }, (_, i) => `- {name: s${i}, command: "$$SCONE::${'a'.repeat(50)}x${i}$$", mrenclaves: [x]}\n`).join('')}`,
  'a reference eighty thousand times': () =>
    `name: s\nversion: "0.3"\nsecrets:\n${Array.from({ length: 2000 }, (_, i) => `- {name: a${i}, kind: ascii}\n`).join('')}services:\n- {name: a, command: [${'"$$SCONE::b$$",'.repeat(40_000)}]}\n`,
  'a long number': () => `name: s\nsecrets: [{name: a, kind: ascii, size: ${'9'.repeat(900_000)}}]\n`,
  'a long name': () => `name: ${'a/'.repeat(400_000)}a\n`,
};
for (const [name, make] of Object.entries(bombs)) {
  void test(`refused in bounded time: ${name}`, { timeout: 20_000 }, () => {
    const { session, problems } = parseSession(make());
    assert.equal(session, undefined);
    assert.ok(problems.length > 0 && problems.length <= 201);
    assert.ok(problems.every(({ message, path }) => message.length < 2000 && path.length < 2000));
  });
}
