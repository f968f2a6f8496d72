import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { keyHashOfPublicKey } from './key-hash.ts';
import { parseSessionOrThrow } from './parse.ts';
import { withPredecessor } from './session.ts';
import {
  addSignature,
  addVeto,
  hashOfChange,
  signatureMessage,
  signMessage,
  signChange,
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
    signChange(session, scope, privateKey),
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
  const [one, two] = keys.map(({ privateKey }) => signChange(session, scope, privateKey)) as [
    ReturnType<typeof signChange>,
    ReturnType<typeof signChange>,
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
  assert.throws(() => signChange(session, scope, weak.privateKey), refused(/P-384/));
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
  const approval = signChange(session, scope, privateKey);
  assert.throws(() => verifyVeto(session, approval, 'thisCas', now), refused(/another found/));
});

void test('a signature over a deletion is for one session, version and CAS, and is none over a version', () => {
  const [{ privateKey, publicKey }] = keys;
  const of = { name: 's', id: '0a'.repeat(16), deletes: session.hash };
  const signed = signChange(of, scope, privateKey);
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  assert.deepEqual(verifySignatures(of, [signed], 'thisCas', now), [keyHashOfPublicKey(pem)]);
  for (const other of [
    { ...of, name: 't' },
    { ...of, id: '0b'.repeat(16) },
    { ...of, deletes: '00'.repeat(32) },
    session,
    { ...session, hash: hashOfChange(of) },
  ]) {
    assert.throws(() => verifySignatures(other, [signed], 'thisCas', now), refused(/another found/));
  }
  assert.throws(() => verifySignatures(of, [signed], 'otherCas', now), refused(/for another CAS/));
  assert.throws(() => verifySignatures(of, [signed], 'thisCas', expires), refused(/still valid/));
  assert.throws(
    () => verifySignatures(of, [signChange(session, scope, privateKey)], 'thisCas', now),
    refused(/another found/),
  );
  const veto = addVeto(of, scope, pem, signMessage(vetoMessage(of, scope), privateKey));
  assert.equal(verifyVeto(of, veto, 'thisCas', now), keyHashOfPublicKey(pem));
  assert.throws(() => verifyVeto(session, veto, 'thisCas', now), refused(/another found/));
});

void test('a deletion is known by the bytes that the format documents', () => {
  const of = { name: 'team/app', id: '00112233445566778899aabbccddeeff', deletes: 'ab'.repeat(32) };
  const message = Buffer.from(signatureMessage(of, { cas: 'cas', expires }));
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const fields = (label: string, ...parts: readonly Buffer[]): Buffer =>
    Buffer.concat([Buffer.from(label), ...parts].map(field));
  const subject = [Buffer.from('team/app'), Buffer.from(of.id, 'hex'), Buffer.from(of.deletes, 'hex')];
  assert.deepEqual(
    message,
    fields(
      'ensconce session deletion signature 1',
      ...subject,
      Buffer.from('cas'),
      Buffer.from('2026-06-01T00:00:00Z'),
    ),
  );
  assert.equal(
    hashOfChange(of),
    createHash('sha256')
      .update(fields('ensconce session deletion 1', ...subject))
      .digest('hex'),
  );
});
