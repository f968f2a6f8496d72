import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { keyHashOfPublicKey } from './key-hash.ts';
import { parseSessionOrThrow } from './parse.ts';
import { withPredecessor } from './session.ts';
import {
  addSignature,
  addVeto,
  signatureMessage,
  signMessage,
  signVersion,
  verifySignatures,
  verifyVeto,
  versionOf,
  vetoMessage,
} from './signature.ts';

const parsed = parseSessionOrThrow('name: s\nversion: "0.3"\n');
const session = versionOf(parsed);
const expires = new Date('2026-06-01T00:00:00Z');
const scope = { cas: 'thisCas', expires };
const now = new Date('2026-05-01T00:00:00Z');
const keys = [generateKeyPairSync('ed25519'), generateKeyPairSync('ec', { namedCurve: 'P-384' })] as const;

function refused(message: RegExp) {
  return (error: unknown) =>
    error instanceof PolicyError && error.code === 'POLICY_SIGNATURE' && message.test(error.message);
}

void test('Ed25519 and P-384 keys sign; each signer counts once', () => {
  const signatures = [keys[0], keys[1], keys[0]].map(({ privateKey }) =>
    signVersion(session, scope, privateKey),
  );
  const hashes = keys.map(({ publicKey }) =>
    keyHashOfPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
  );
  assert.deepEqual(verifySignatures(session, JSON.parse(JSON.stringify(signatures)), 'thisCas', now), hashes);
  assert.deepEqual(verifySignatures(session, [], 'thisCas', now), []);
});

void test('a signature made elsewhere over the same message is taken', () => {
  const { privateKey, publicKey } = keys[1];
  const signature = sign('sha384', signatureMessage(session, scope), privateKey);
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  assert.equal(
    verifySignatures(session, [addSignature(session, scope, pem, signature)], 'thisCas', now).length,
    1,
  );
  assert.throws(() => addSignature(session, scope, pem, signature.subarray(1)), refused(/another found/));
});

void test('a changed session, another CAS, another date, another signer and the past are refused', () => {
  const [one, two] = keys.map(({ privateKey }) => signVersion(session, scope, privateKey)) as [
    ReturnType<typeof signVersion>,
    ReturnType<typeof signVersion>,
  ];
  const changed = versionOf(
    parseSessionOrThrow('name: s\nversion: "0.3"\nsalt: 00000000000000000000000000000000\n'),
  );
  assert.throws(() => verifySignatures(changed, [one], 'thisCas', now), refused(/over this session/));
  assert.throws(
    () => verifySignatures(versionOf(withPredecessor(parsed, 'ab'.repeat(32))), [one], 'thisCas', now),
    refused(/over this/),
  );
  assert.throws(() => verifySignatures(session, [one], 'otherCas', now), refused(/for another CAS/));
  assert.throws(
    () => verifySignatures(session, [{ ...one, cas: 'otherCas' }], 'otherCas', now),
    refused(/over this/),
  );
  assert.throws(
    () => verifySignatures(session, [{ ...one, expires: '2027-06-01T00:00:00Z' }], 'thisCas', now),
    refused(/over this/),
  );
  assert.throws(
    () => verifySignatures(session, [{ ...one, expires: 'never' }], 'thisCas', now),
    refused(/expiry as/),
  );
  assert.throws(() => verifySignatures(session, [one], 'thisCas', expires), refused(/that ended/));
  assert.throws(
    () => verifySignatures(session, [{ ...one, signer: two.signer }], 'thisCas', now),
    refused(/signature 1 of 1/),
  );
  assert.throws(
    () => verifySignatures(session, [{ ...one, signature: '!' }], 'thisCas', now),
    refused(/over this/),
  );
  assert.throws(
    () => verifySignatures(session, [two, { ...one, signature: two.signature }], 'thisCas', now),
    refused(/signature 2/),
  );
  const weak = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.throws(() => signVersion(session, scope, weak.privateKey), refused(/P-384/));
});

void test('a veto holds for one version at one CAS and is no approval', () => {
  const [{ privateKey, publicKey }] = keys;
  const of = { name: 's', hash: 'cd'.repeat(32) };
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const veto = addVeto(of, scope, pem, signMessage(vetoMessage(of, scope), privateKey));
  assert.equal(verifyVeto(of, veto, 'thisCas', now), keyHashOfPublicKey(pem));
  assert.throws(() => verifyVeto({ ...of, name: 't' }, veto, 'thisCas', now), refused(/veto: a signature/));
  assert.throws(() => verifyVeto(of, veto, 'otherCas', now), refused(/for another CAS/));
  assert.throws(() => verifySignatures(session, [veto], 'thisCas', now), refused(/another found/));
  const approval = signVersion(session, scope, privateKey);
  assert.throws(() => verifyVeto(session, approval, 'thisCas', now), refused(/another found/));
});
