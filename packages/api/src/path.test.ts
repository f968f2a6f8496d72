import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fillPath, pathMatcher } from './path.ts';

void test('a part takes slashes, and nothing in a template is a pattern', () => {
  const match = pathMatcher('/v1/sessions/{name}');
  assert.deepEqual(match('/v1/sessions/a/b'), { name: 'a/b' });
  assert.deepEqual(match('/v1/sessions//'), { name: '/' });
  for (const path of ['/v1/sessions', '/v1/sessions/', '/v2/v1/sessions/a'])
    assert.equal(match(path), undefined);
  assert.equal(pathMatcher('/v1/openapi.json')('/v1/openapiXjson'), undefined);
});

void test('a value of a session and all of its values are two paths', () => {
  const [one, all] = [
    pathMatcher('/v1/values/session={session},secret={secret}'),
    pathMatcher('/v1/values/session={session}'),
  ];
  assert.deepEqual(one('/v1/values/session=a/b,secret=c'), { session: 'a/b', secret: 'c' });
  assert.equal(all('/v1/values/session=a/b,secret=c'), undefined);
  assert.deepEqual(all('/v1/values/session=a/b'), { session: 'a/b' });
});

void test('what a client fills in is what a server reads', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' });
  const template = '/v1/values/session={session},secret={secret}';
  fc.assert(
    fc.property(text, text, (session, secret) => {
      const parts = pathMatcher(template)(fillPath(template, { session, secret }));
      assert.deepEqual(
        [parts?.['session'], parts?.['secret']].map((part) => decodeURIComponent(part ?? '')),
        [session, secret],
      );
    }),
  );
});
