import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSession } from './parse.ts';
import { sessionHash } from './session-hash.ts';
import { templateSession } from './template.ts';

const shared = process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '..', '..', '..', '..', 'shared');
const folder = join(shared, 'policies');

void test('policies that other people wrote are accepted after templating', (t) => {
  if (!existsSync(folder))
    return t.skip(`no policies at ${folder}: set ENSCONCE_SHARED to test against real ones`);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(?:yml|yaml|template)$/.test(name),
  );
  assert.ok(files.length >= 8);
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    const variables = Object.fromEntries(
      [...text.matchAll(/(?<!\$)\$([A-Z_]+)/g)].map(([, name = '']) => [name, valueFor(name)]),
    );
    const { session, problems } = parseSession(text, { variables });
    assert.ok(session, `${file}: ${JSON.stringify(problems.filter(({ severity }) => severity === 'error'))}`);
    const templated = templateSession(text, variables);
    assert.ok(templated.text);
    assert.deepEqual(
      parseSession(templated.text).session,
      session,
      `${file}: templated first or while reading`,
    );
    assert.match(sessionHash(session), /^[0-9a-f]{64}$/);
  }
});

function valueFor(name: string): string {
  if (name.endsWith('TAG')) return 'ab'.repeat(16);
  if (name.endsWith('FSPF_KEY') || name.endsWith('MRENCLAVE')) return 'cd'.repeat(32);
  return name.toLowerCase();
}
