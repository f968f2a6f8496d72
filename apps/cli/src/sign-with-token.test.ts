import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyHashOfPublicKey } from '@ensconce/policy/key-hash';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { verifySignatures, versionOf, type SessionSignature } from '@ensconce/policy/signature';
import { shell } from '../test/shell.ts';

const program = join(import.meta.dirname, '..', '..', '..', 'examples', 'sign-with-token', 'sign-with-token');
const softToken = '/usr/lib/softhsm/libsofthsm2.so';
const cas = '3s1pm8W6nF8dTJjWYLvp9J1bmuBVsGWWNCB6iDEQyZmM';

const missing = existsSync(softToken)
  ? false
  : 'SKIPPED: Debian packages softhsm2 and opensc are needed, npm test installs them';

void test('a key in a PKCS#11 token signs a session', { skip: missing }, async (t) => {
  const { run, folder } = shell(t);
  const path = (name: string): string => join(folder, name);
  mkdirSync(path('tokens'));
  writeFileSync(path('softhsm.conf'), `directories.tokendir = ${path('tokens')}\n`);
  writeFileSync(path('pin'), '1234');
  writeFileSync(path('session.yml'), 'name: app\nversion: "0.3.12"\n');
  const set = {
    SOFTHSM2_CONF: path('softhsm.conf'),
    PKCS11_MODULE: softToken,
    PKCS11_TOKEN: 'board',
    PKCS11_KEY: 'a1',
    PKCS11_PIN_FILE: path('pin'),
  };
  const before = Object.keys(set).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, set);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  const tool = (command: string, ...args: string[]): void => {
    execFileSync(command, args, { stdio: 'pipe' });
  };
  tool('softhsm2-util', '--init-token', '--free', '--label', 'board', '--pin', '1234', '--so-pin', '5678');
  tool('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384', '-out', path('key'));
  tool('openssl', 'pkey', '-in', path('key'), '-pubout', '-out', path('key.pub'));
  tool(
    'softhsm2-util',
    '--import',
    path('key'),
    '--token',
    'board',
    '--label',
    'signing',
    '--id',
    'a1',
    '--pin',
    '1234',
  );

  const signed = await run(
    'session',
    'sign',
    path('session.yml'),
    '--external-signer',
    program,
    '--signer',
    path('key.pub'),
    '--cas-key',
    cas,
    '-o',
    path('session.signed'),
  );
  assert.equal(signed.code, 0, signed.stderr);
  const { session, signatures } = JSON.parse(readFileSync(path('session.signed'), 'utf8')) as {
    session: string;
    signatures: readonly SessionSignature[];
  };
  assert.deepEqual(verifySignatures(versionOf(parseSessionOrThrow(session)), signatures, cas, new Date()), [
    keyHashOfPublicKey(readFileSync(path('key.pub'), 'utf8')),
  ]);
});
