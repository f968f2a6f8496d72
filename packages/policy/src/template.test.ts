import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseSession } from './parse.ts';
import { templateSession } from './template.ts';

void test('a missing variable is an error that names its place', () => {
  const { session, problems } = parseSession('version: "0.3"\n# $NOT here\nname: $SESSION\n', {
    variables: {},
  });
  assert.equal(session, undefined);
  assert.deepEqual(problems[0], {
    severity: 'error',
    line: 3,
    column: 7,
    path: '',
    message: 'Value for variable $SESSION is missing at line 3 column 7',
  });
});

void test('$VAR and ${VAR} are replaced once, $$ and other dollars stay', () => {
  const text = `# keep $THIS\nname: a$X-\${X}\nsecrets:\n- {name: k, kind: ascii, value: "$Y 5$ $$SCONE::k$$ $1"} # and this\n`;
  const { text: result } = templateSession(text, { X: 'b', Y: '$X: "\n' });
  assert.equal(
    result,
    `# keep $THIS\nname: "ab-b"\nsecrets:\n- {name: k, kind: ascii, value: "$X: \\"\\n 5$ $$SCONE::k$$ $1"} # and this\n`,
  );
});

void test('without variables nothing is replaced', () => {
  assert.equal(parseSession('name: $X\n').session, undefined);
});

void test('a variable cannot bring in structure, nulls or tags', () => {
  const text =
    'name: s\nversion: "0.3"\nsecrets:\n- name: a\n  kind: ascii\n  value: $V\n- {name: b, kind: ascii, value: "x$V"}\n';
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      const { session } = parseSession(text, { variables: { V: value } });
      assert.equal(session?.secrets[0]?.value, value);
      assert.equal(session?.secrets[1]?.value, `x${value}`);
      const rewritten = templateSession(text, { V: value }).text;
      assert.deepEqual(parseSession(rewritten ?? '').session, session);
    }),
  );
});

void test('a block scalar with variables keeps its lines', () => {
  const text =
    'name: s\nimages:\n- name: i\n  injection_files:\n  - path: /x\n    content: |\n      a $V\n      b\nversion: "0.3"\n';
  const { text: result } = templateSession(text, { V: '1' });
  const file = parseSession(result ?? '').session?.images[0]?.injectionFiles[0];
  assert.equal(file?.content, 'a 1\nb\n');
});

void test('anchors, tags and comments around a replaced value stay', () => {
  const text = 'name: &n !!str $V # why\nversion: "0.3"\nsecrets: [{name: *n, kind: ascii, value: *n}]\n';
  const { text: result } = templateSession(text, { V: 'v' });
  assert.equal(result, text.replace('$V', '"v"'));
  assert.equal(parseSession(result ?? '').session?.secrets[0]?.value, 'v');
});
