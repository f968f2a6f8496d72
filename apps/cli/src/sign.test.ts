import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { keyHashOfPublicKey } from '@ensconce/policy/key-hash';
import { verifySignatures, versionOf, type SessionSignature } from '@ensconce/policy/signature';
import { shell, type Shell } from '../test/shell.ts';

const cas = '3s1pm8W6nF8dTJjWYLvp9J1bmuBVsGWWNCB6iDEQyZmM';
const later = '2100-01-31T00:00:00Z';

interface Board extends Shell {
  readonly file: string;
  readonly signed: string;
  /** Makes a key as an administrator would. */
  readonly key: (name: string, algorithm: 'ed25519' | 'P-384') => { private: string; public: string };
}

function board(t: TestContext): Board {
  const user = shell(t);
  const path = (name: string): string => join(user.folder, name);
  writeFileSync(path('session.yml'), 'name: $NAME\nversion: "0.3.12"\n');
  return {
    ...user,
    file: path('session.yml'),
    signed: path('session.signed'),
    key: (name, algorithm) => {
      const [file, publicFile] = [path(`${name}.pem`), path(`${name}.pub`)];
      const choice =
        algorithm === 'ed25519'
          ? ['-algorithm', 'ed25519']
          : ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'];
      execFileSync('openssl', ['genpkey', ...choice, '-out', file], { stdio: 'pipe' });
      execFileSync('openssl', ['pkey', '-in', file, '-pubout', '-out', publicFile], { stdio: 'pipe' });
      return { private: file, public: publicFile };
    },
  };
}

/** Who signed the file, as CAS would find out. */
function signers(file: string): readonly string[] {
  const { session, signatures } = JSON.parse(readFileSync(file, 'utf8')) as {
    session: string;
    signatures: readonly SessionSignature[];
  };
  return verifySignatures(versionOf(parseSessionOrThrow(session)), signatures, cas, new Date());
}

const hashOf = (publicFile: string): string => keyHashOfPublicKey(readFileSync(publicFile, 'utf8'));

void test('a new session is signed by two, the first of whom becomes its creator; signing twice counts once', async (t) => {
  const { run, file, signed, key } = board(t);
  const [one, two] = [key('one', 'ed25519'), key('two', 'P-384')];
  const sign = (input: string, by: string): ReturnType<typeof run> =>
    run('session', 'sign', input, '-e', 'NAME=app', '--key', by, '--cas-key', cas, '-o', signed);
  const first = await sign(file, one.private);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, new RegExp(`^signed by ${hashOf(one.public)} until 20`));
  assert.equal((await sign(signed, two.private)).code, 0);
  assert.equal((await sign(signed, one.private)).code, 0);
  assert.deepEqual(signers(signed).toSorted(), [hashOf(one.public), hashOf(two.public)].toSorted());
  const { session } = JSON.parse(readFileSync(signed, 'utf8')) as { session: string };
  assert.equal(parseSessionOrThrow(session).creator?.keyHash, hashOf(one.public));
});

void test('a program signs in place of a key, and a wrong signature of it leaves no file', async (t) => {
  const { run, file, signed, key, folder } = board(t);
  const token = key('token', 'ed25519');
  const program = join(folder, 'sign-with-token');
  writeFileSync(
    program,
    `#!/bin/sh\nset -e\ncat > "$0.in"\nopenssl pkeyutl -sign -rawin -inkey "${token.private}" -in "$0.in"\n`,
  );
  chmodSync(program, 0o700);
  const sign = (signer: string): ReturnType<typeof run> =>
    run(
      'session',
      'sign',
      file,
      '-e',
      'NAME=app',
      '--external-signer',
      program,
      '--signer',
      signer,
      '--cas-key',
      cas,
      '-o',
      signed,
    );
  const other = await sign(key('other', 'ed25519').public);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /a signature by this key over this session expected/);
  assert.throws(() => readFileSync(signed), /ENOENT/);
  assert.equal((await sign(token.public)).code, 0);
  assert.deepEqual(signers(signed), [hashOf(token.public)]);
});

void test('a message is signed elsewhere, and the signature is added', async (t) => {
  const { run, file, signed, key, folder } = board(t);
  const away = key('away', 'ed25519');
  const [message, signature] = [join(folder, 'message'), join(folder, 'signature')];
  const about = [file, '-e', 'NAME=app', '--signer', away.public, '--cas-key', cas];
  const made = await run(
    'session',
    'generate-message-to-be-signed',
    ...about,
    '--expires',
    later,
    '-o',
    message,
  );
  assert.equal(made.code, 0, made.stderr);
  execFileSync('openssl', [
    'pkeyutl',
    '-sign',
    '-rawin',
    '-inkey',
    away.private,
    '-in',
    message,
    '-out',
    signature,
  ]);
  const add = (expires: string): ReturnType<typeof run> =>
    run('session', 'add-signature', ...about, '--expires', expires, '--signature', signature, '-o', signed);
  assert.match((await add('2100-02-01T00:00:00Z')).stderr, /another found/);
  assert.equal((await add('7d')).code, 2);
  assert.equal((await add(later)).code, 0);
  assert.deepEqual(signers(signed), [hashOf(away.public)]);
});

void test('what cannot be signed is refused with what to do', async (t) => {
  const { run, file, key, folder } = board(t);
  const one = key('one', 'ed25519');
  const sign = (...rest: string[]): ReturnType<typeof run> =>
    run('session', 'sign', file, '-e', 'NAME=app', ...rest);
  assert.equal((await sign('--key', one.private, '--signer', one.public, '--cas-key', cas)).code, 2);
  assert.equal((await sign('--key', one.private, '--cas-key', cas, '--expires', 'tomorrow')).code, 2);
  assert.match((await sign('--key', one.private)).stderr, /CAS: an attested one expected/);
  assert.match((await sign('--key', one.public, '--cas-key', cas)).stderr, /a private key .*expected/);
  const update = join(folder, 'update.yml');
  writeFileSync(update, `name: app\nversion: "0.3.12"\npredecessor: ${'ab'.repeat(32)}\n`);
  const unnamed = await run('session', 'sign', update, '--key', one.private, '--cas-key', cas);
  assert.match(unnamed.stderr, /the creator expected in an update that is signed, none found\nhint: /);
});

void test('a key that no CAS has for encryption is refused with what to do', async (t) => {
  const { run, file, key } = board(t);
  const encrypt = (by: string): ReturnType<typeof run> =>
    run('session', 'encrypt', file, '-e', 'NAME=app', '--key', by);
  for (const [wrong, found] of [
    [key('one', 'ed25519').public, 'ed25519'],
    [key('two', 'P-384').public, 'ec'],
    [file, 'something else'],
  ] as const) {
    const { code, stderr } = await encrypt(wrong);
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`a P-256 public key \\(PEM\\) expected, ${found} found.*\nhint: `));
  }
});
