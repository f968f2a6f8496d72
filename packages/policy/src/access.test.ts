import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { accessStatus, canBeSigned, mayAccess, mayListSessions, namedKeys } from './access.ts';
import { keyHashOfPublicKey } from './key-hash.ts';
import { parseSessionOrThrow } from './parse.ts';
import type { AccessRule, Creator } from './session.ts';

const signers = [1, 2, 3, 4].map(() => {
  const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  return { pem, keyHash: keyHashOfPublicKey(pem) };
});
const [one, two, three, veto] = signers as [Signer, Signer, Signer, Signer];
interface Signer {
  readonly pem: string;
  readonly keyHash: string;
}
const creator: Creator = { kind: 'certificate', pem: '', keyHash: 'creatorkey' };

function update(yaml: string): AccessRule {
  return parseSessionOrThrow(`name: s\nversion: "0.3"\naccess_policy:\n  update: ${yaml}\n`).accessPolicy
    .update;
}
function signed(...who: readonly Signer[]) {
  return { signers: who.map(({ keyHash }) => keyHash) };
}
function member(signer: Signer): string {
  return `{signer: ${JSON.stringify(signer.pem)}}`;
}

void test('CREATOR is the creator, ANY everybody, NONE nobody', () => {
  assert.equal(mayAccess(update('[CREATOR]'), { keyHash: 'creatorkey' }, creator).allowed, true);
  assert.equal(mayAccess(update('[CREATOR]'), { keyHash: 'other' }, creator).allowed, false);
  assert.equal(mayAccess(update('[CREATOR]'), {}, undefined).allowed, false);
  assert.equal(mayAccess(update('[ANY]'), {}, creator).allowed, true);
  assert.equal(mayAccess(update('[NONE]'), { keyHash: 'creatorkey' }, creator).allowed, false);
});

void test('a certificate does not stand in for a signature, nor the other way round', () => {
  assert.equal(mayAccess(update(`[${member(one)}]`), { keyHash: one.keyHash }, creator).allowed, false);
  assert.equal(mayAccess(update(`[${one.keyHash}]`), signed(one), creator).allowed, false);
  assert.equal(mayAccess(update(`[${one.keyHash}]`), { keyHash: one.keyHash }, creator).allowed, true);
  const signedCreator: Creator = { kind: 'signer', pem: one.pem, keyHash: one.keyHash };
  assert.equal(mayAccess(update('[CREATOR]'), { keyHash: one.keyHash }, signedCreator).allowed, false);
  assert.equal(mayAccess(update('[CREATOR]'), signed(one), signedCreator).allowed, true);
});

void test('governance trees count distinct keys', () => {
  const rule = update(
    `[{require-all: [{require-at-least-2: [${member(one)}, ${member(two)}, ${member(three)}]}, {require-all: [${member(veto)}]}]}]`,
  );
  assert.equal(mayAccess(rule, signed(one, two, veto), creator).allowed, true);
  assert.equal(mayAccess(rule, signed(one, one, veto), creator).allowed, false);
  assert.equal(mayAccess(rule, signed(one, two, three), creator).allowed, false);
  assert.match(mayAccess(rule, signed(one), creator).reason, /at least 2 of/);
});

void test('the status of a rule says who has yet to sign', () => {
  const rule = update(`[{require-at-least-2: [${member(one)}, ${member(two)}, ${member(three)}]}]`);
  const [status] = accessStatus(rule, signed(two), creator);
  assert.deepEqual([status?.satisfied, status?.needed], [false, 2]);
  assert.deepEqual(
    status?.members?.map(({ satisfied }) => satisfied),
    [false, true, false],
  );
});

void test('who may create sessions may list them', () => {
  const policy = parseSessionOrThrow(
    'name: s\nversion: "0.3"\naccess_policy: {create_sessions: [CREATOR], list_sessions: [NONE]}\n',
  ).accessPolicy;
  assert.equal(mayListSessions(policy, { keyHash: 'creatorkey' }, creator).allowed, true);
  assert.equal(mayListSessions(policy, { keyHash: 'other' }, creator).allowed, false);
});

void test('what cannot be resolved is satisfied by nobody, also inside require', () => {
  assert.equal(mayAccess(update('["$$SCONE::who$$"]'), { keyHash: 'creatorkey' }, creator).allowed, false);
  assert.equal(mayAccess(update('[{require-all: ["$$SCONE::who$$"]}]'), signed(one), creator).allowed, false);
});

void test('one key counts once, also as CREATOR beside itself', () => {
  const rule = update(`[{require-at-least-2: [CREATOR, ${one.keyHash}, ${two.keyHash}]}]`);
  const own: Creator = { kind: 'certificate', pem: '', keyHash: one.keyHash };
  assert.equal(mayAccess(rule, { keyHash: one.keyHash }, own).allowed, false);
  const signing: Creator = { kind: 'signer', pem: one.pem, keyHash: one.keyHash };
  const signedRule = update(`[{require-at-least-2: [CREATOR, ${member(one)}, ${member(two)}]}]`);
  assert.equal(mayAccess(signedRule, signed(one), signing).allowed, false);
  assert.equal(mayAccess(signedRule, signed(one, two), signing).allowed, true);
});

void test('property: a quorum is met exactly by that many different keys', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.subarray([0, 1, 2, 3]),
      fc.array(fc.nat(3), { maxLength: 8 }),
      (atLeast, listedTwice, signing) => {
        const members = [...signers, ...listedTwice.map((index) => signers[index] as Signer)];
        const rule = update(`[{require-at-least-${atLeast}: [${members.map(member).join(', ')}]}]`);
        const who = signed(...signing.map((index) => signers[index] as Signer));
        assert.equal(mayAccess(rule, who, creator).allowed, new Set(signing).size >= atLeast);
      },
    ),
    { numRuns: 50 },
  );
});

void test('property: whatever cannot be resolved is put into a rule, nobody is let in by it', () => {
  const reference = '"$$SCONE::who$$"';
  const leaf = fc.constantFrom(reference, `{signer: ${reference}}`);
  const { rule } = fc.letrec<{ rule: string }>((tie) => ({
    rule: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie('rule'), { minLength: 1, maxLength: 3 }).map((of) => `{require-all: [${of.join(', ')}]}`),
      fc
        .array(tie('rule'), { minLength: 1, maxLength: 3 })
        .map((of) => `{require-at-least-1: [${of.join(', ')}]}`),
    ),
  }));
  fc.assert(
    fc.property(rule, (text) => {
      const everybody = { keyHash: one.keyHash, signers: signers.map(({ keyHash }) => keyHash) };
      assert.equal(mayAccess(update(`[${text}]`), everybody, creator).allowed, false);
    }),
    { numRuns: 100 },
  );
});

void test('those who will not sign stop a rule as soon as it cannot be satisfied without them', () => {
  const rule = update(
    `[{require-all: [{require-at-least-2: [${member(one)}, ${member(two)}, ${member(three)}]}, ${member(veto)}]}]`,
  );
  const without = (...who: readonly Signer[]): boolean =>
    canBeSigned(rule, new Set(who.map(({ keyHash }) => keyHash)), creator);
  assert.deepEqual(namedKeys(rule, creator), new Set(signers.map(({ keyHash }) => keyHash)));
  assert.equal(without(), true);
  assert.equal(without(one), true);
  assert.equal(without(one, two), false);
  assert.equal(without(veto), false);
  assert.equal(canBeSigned(update('[NONE]'), new Set(), creator), false);
});
