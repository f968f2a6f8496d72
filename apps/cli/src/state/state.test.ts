import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import type { Io } from '../io.ts';
import { attestedCasOf } from './attested-cas.ts';
import { loadIdentity, loadState, saveState, statePath, type AttestedCas } from './cli-state.ts';
import { familySecret } from './family-secret.ts';
import { runtimeLayer } from './runtime-layer.ts';
import { readSessionText } from './session-file.ts';

function testIo(t: TestContext, environment: Io['environment'] = {}): Io {
  const home = mkdtempSync(join(tmpdir(), 'ensconce-state-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return {
    stdin: Readable.from([]),
    stdout: () => undefined,
    stderr: () => undefined,
    environment,
    home,
    now: () => new Date('2026-01-01T00:00:00Z'),
    random: (size) => randomBytes(size),
    signal: new AbortController().signal,
    releaseSignals: () => undefined,
  };
}

const hex = 'ab'.repeat(32);
const entry: AttestedCas = {
  identity: hex,
  mrenclave: hex,
  mrsigner: hex,
  simulated: true,
  tcbStatus: null,
  attested: '2026-01-01T00:00:00Z',
};

void test('state is kept where nobody else may read it, replaced as a whole', (t) => {
  const io = testIo(t);
  assert.deepEqual(loadState(io), { version: 1, cas: {} });
  saveState(io, { version: 1, cas: { 'cas:8081': entry }, defaultCas: 'cas:8081' });
  saveState(io, { version: 1, cas: { 'cas:8081': entry } });
  assert.deepEqual(loadState(io), { version: 1, cas: { 'cas:8081': entry } });
  assert.equal(statSync(statePath(io)).mode & 0o777, 0o600);
  assert.equal(statSync(join(io.home, '.cas')).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(join(io.home, '.cas')), ['config.json']);
});

void test('state of another form is refused without repeating it', (t) => {
  const io = testIo(t);
  mkdirSync(join(io.home, '.cas'));
  for (const text of [
    '',
    '{}',
    '{"version":2,"cas":{}}',
    '{"version":1,"cas":{},"identity":{"privateKey":["SECRET"],"certificate":""}}',
  ]) {
    writeFileSync(statePath(io), text);
    assert.throws(
      () => loadState(io),
      (error: Error) => !error.message.includes('SECRET') && /^(?:CliError|JsonError)$/.test(error.name),
    );
  }
});

void test('a place that cannot be written is an error that says what to do, and nothing is left', (t) => {
  const { home } = testIo(t);
  writeFileSync(join(home, 'file'), '');
  const io = testIo(t, { SCONE_CLI_CONFIG: join(home, 'file', 'config.json') });
  assert.throws(() => saveState(io, { version: 1, cas: {} }), {
    code: 'CLI_STATE',
    hint: /SCONE_CLI_CONFIG/,
  });
});

void test('of many commands that make an identity at once, all use the same one', async (t) => {
  const io = testIo(t);
  const all = await Promise.all(Array.from({ length: 5 }, () => loadIdentity(io)));
  for (const identity of all) assert.deepEqual(identity, all[0]);
  assert.deepEqual(await loadIdentity(io), all[0]);
  assert.deepEqual(loadState(io).identity, all[0]);
});

void test('an identity is added to state that has none', async (t) => {
  const io = testIo(t);
  saveState(io, { version: 1, cas: { 'cas:8081': entry } });
  const identity = await loadIdentity(io);
  assert.deepEqual(loadState(io), { version: 1, cas: { 'cas:8081': entry }, identity });
});

void test('only a CAS that was attested is ever meant', (t) => {
  const io = testIo(t, { SCONE_CAS_ADDR: 'other' });
  assert.throws(() => attestedCasOf(testIo(t), undefined), { code: 'CLI_CAS_NOT_ATTESTED' });
  saveState(io, { version: 1, cas: { 'cas:8081': entry }, defaultCas: 'cas' });
  assert.throws(() => attestedCasOf(io, undefined), { code: 'CLI_CAS_NOT_ATTESTED', message: /other/ });
  assert.deepEqual(attestedCasOf(io, 'cas').entry, entry);
  assert.deepEqual(attestedCasOf({ ...io, environment: {} }, undefined).entry, entry);
});

void test('the image-family secret is made once, for its owner only', (t) => {
  const io = testIo(t);
  const secret = familySecret(io, undefined);
  assert.equal(secret.length, 32);
  assert.deepEqual(familySecret(io, undefined), secret);
  const path = join(io.home, '.cas', 'image-family.key');
  assert.deepEqual(readFileSync(path), secret);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(io.home, '.cas')), ['image-family.key']);
});

void test('a secret that is named is never made, and must have its length', (t) => {
  const io = testIo(t);
  const path = join(io.home, 'key');
  assert.throws(() => familySecret(io, path), { code: 'CLI_FILE' });
  writeFileSync(path, 'short');
  assert.throws(() => familySecret(io, path), {
    code: 'CLI_FILE',
    message: /32 random bytes expected, 5 bytes found/,
  });
});

void test('the description of a runtime layer is read, or refused with what to do', (t) => {
  const { home } = testIo(t);
  const path = join(home, 'layer.json');
  const layer = { path: '/x', mediaType: 'm', digest: `sha256:${hex}`, diffId: `sha256:${hex}`, size: 1 };
  const description = { architecture: 'amd64', runtimeDigest: hex, released: true, layer };
  assert.throws(() => runtimeLayer(path), { code: 'CLI_FILE', hint: /npm run setup/ });
  writeFileSync(path, JSON.stringify(description));
  assert.deepEqual(runtimeLayer(path), description);
  writeFileSync(path, JSON.stringify({ ...description, extra: 1 }));
  assert.throws(() => runtimeLayer(path), { code: 'CLI_FILE', message: /extra: no such member expected/ });
});

void test('a session that is no UTF-8 text is refused, not repaired', (t) => {
  const path = join(testIo(t).home, 'session.yml');
  writeFileSync(path, Buffer.from([0x6e, 0xff]));
  assert.throws(() => readSessionText(path), { code: 'CLI_FILE', message: /UTF-8 text expected/ });
  writeFileSync(path, 'name: ü');
  assert.equal(readSessionText(path), 'name: ü');
});
