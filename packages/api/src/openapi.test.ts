import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openApi } from './openapi.ts';
import { apiReference } from './reference.ts';
import { routes } from './routes.ts';
import type { Route } from './route.ts';

const published = (name: string): string =>
  readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'reference', name), 'utf8');

void test('the published description is the one of the code: run tools/generate-api-reference.ts', () => {
  assert.deepEqual(JSON.parse(published('openapi.json')), JSON.parse(JSON.stringify(openApi())));
  assert.equal(published('api.md'), apiReference());
});

void test('every reference in the description leads somewhere', () => {
  const document = openApi();
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    (match) => match[1] as string,
  );
  assert.ok(references.length > 0);
  for (const reference of new Set(references)) {
    const target = reference
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
    assert.equal(typeof target, 'object', reference);
  }
});

void test('every part of a path has a schema, and every schema a part', () => {
  for (const row of Object.values<Route>(routes)) {
    const parts = [...row.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] as string);
    assert.deepEqual(Object.keys(row.parameters ?? {}).toSorted(), parts.toSorted(), row.path);
  }
});
