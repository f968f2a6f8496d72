import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SecretsError } from './errors.ts';
import { Trail } from './trail.ts';

function refused(error: unknown): boolean {
  return error instanceof SecretsError && error.code === 'SECRETS_IMPORT';
}

void test('a way may be 16 secrets long, over 4 CASes', () => {
  let trail = Trail.begin('a', 7);
  for (let n = 0; n < 16; n++) trail = trail.enter({ session: 's', secret: `x${n}` });
  assert.equal(trail.deadline, 7);
  assert.throws(() => trail.enter({ session: 's', secret: 'y' }), refused);
  let cases = Trail.begin('a', 0);
  for (const cas of ['a', 'b', 'c', 'd']) cases = cases.enter({ cas, session: 's', secret: 'x' });
  assert.throws(() => cases.enter({ cas: 'e', session: 's', secret: 'x' }), refused);
});

void test('the same secret of another session or CAS is another step; the same once more is a circle', () => {
  const trail = Trail.begin('a', 0).enter({ session: 's', secret: 'x' });
  trail.enter({ session: 't', secret: 'x' });
  trail.enter({ session: 's', secret: 'y' });
  trail.enter({ cas: 'b', session: 's', secret: 'x' });
  assert.throws(() => trail.enter({ session: 's', secret: 'x' }), refused);
  const there = Trail.begin('b', 0, trail.steps);
  assert.throws(() => there.enter({ cas: 'a', session: 's', secret: 'x' }), refused);
});

void test('one start follows a bounded number of secrets, however they branch', () => {
  const trail = Trail.begin('a', 0);
  assert.throws(() => {
    for (let n = 0; n < 5000; n++) trail.enter({ session: 's', secret: `x${n}` });
  }, refused);
});

void test('fuzz: whatever path another CAS claims, it ends the way at most', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 64 }), (steps) => {
      try {
        Trail.begin('a', 0, steps).enter({ session: 's', secret: 'x' });
      } catch (error) {
        assert.ok(refused(error));
      }
    }),
  );
});
