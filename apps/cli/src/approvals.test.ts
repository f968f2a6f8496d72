import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { signMessage } from '@ensconce/policy/signature';
import { runningCas, type RunningCas } from '../test/running-cas.ts';

const mrenclave = 'ca'.repeat(32);

interface Board extends RunningCas {
  readonly keys: readonly string[];
  readonly write: (name: string, environment: string) => string;
}

/** An attested CAS, and a session that two of three keys may update. */
async function board(t: TestContext): Promise<Board> {
  const cas = await runningCas(t, mrenclave);
  const { run, attest, folder } = cas;
  const attested = await attest();
  assert.equal(attested.code, 0, attested.stderr);
  const keys = ['one', 'two', 'three'].map((name) => {
    const file = join(folder, `${name}.pem`);
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', file], { stdio: 'pipe' });
    return file;
  });
  const signers = keys.map((file) => {
    const pem = execFileSync('openssl', ['pkey', '-in', file, '-pubout'], { encoding: 'utf8' });
    return `{signer: ${JSON.stringify(pem)}}`;
  });
  const write = (name: string, environment: string): string => {
    const file = join(folder, name);
    writeFileSync(
      file,
      [
        'name: board',
        'version: "0.3.12"',
        `services: [{name: app, command: run, environment: ${environment}, attestation: [{mrenclave: [${'aa'.repeat(32)}]}]}]`,
        `access_policy: {read: [CREATOR], update: [{require-at-least-2: [${signers.join(', ')}]}]}`,
        '',
      ].join('\n'),
    );
    return file;
  };
  const created = await run('session', 'create', write('first.yml', '{}'));
  assert.equal(created.code, 0, created.stderr);
  return { ...cas, keys, write };
}

void test('a board approves an update: proposed, looked at, signed by two', async (t) => {
  const { run, keys, write } = await board(t);
  const [one, two] = keys as [string, string, string];
  const file = write('second.yml', '{A: b}');
  const proposed = await run('session', 'propose', file);
  assert.equal(proposed.code, 0, proposed.stderr);
  assert.match(proposed.stdout, /^[0-9a-f]{64}\n$/);

  const seen = await run('session', 'approvals', 'board', '--key', one);
  assert.match(seen.stdout, /service app: variable A is new/);
  assert.match(seen.stdout, /\[ \] at least 2 of 3\n {4}\[ \] a signature by/);

  const other = await run(
    'session',
    'approve',
    'board',
    '--key',
    one,
    '--file',
    write('other.yml', '{A: c}'),
  );
  assert.equal(other.code, 1);
  assert.match(other.stderr, /what was proposed is not this file; nothing was signed/);
  const first = await run('session', 'approve', 'board', '--key', one, '--file', file);
  assert.equal(first.stdout, `pending ${proposed.stdout}`, first.stderr);
  const last = await run('session', 'approve', 'board', proposed.stdout.slice(0, 6), '--key', two);
  assert.equal(last.stdout, `applied ${proposed.stdout}`, last.stderr);
  const read = await run('session', 'read', 'board', '--json');
  assert.equal(`${(JSON.parse(read.stdout) as { hash: string }).hash}\n`, proposed.stdout);
  assert.equal((await run('session', 'approvals', 'board')).stdout, 'nothing waits for signatures\n');
});

void test('a board says no, and a proposal is taken back', async (t) => {
  const { run, keys, write } = await board(t);
  const [one, two] = keys as [string, string, string];
  const file = write('second.yml', '{A: b}');
  await run('session', 'propose', file);
  assert.match((await run('session', 'veto', 'board', '--key', one)).stdout, /^pending /);
  assert.match((await run('session', 'veto', 'board', '--key', two)).stdout, /^vetoed /);
  assert.match(
    (await run('session', 'approve', 'board', '--key', one)).stderr,
    /one pending update or deletion expected, 0 found/,
  );
  await run('session', 'propose', file, '--lifetime', '2h');
  assert.match((await run('session', 'withdraw', 'board')).stdout, /^withdrawn [0-9a-f]{64}\n$/);
  assert.equal((await run('session', 'propose', file, '--lifetime', '31d')).code, 3);
});

void test('a board deletes a session: by signatures in a file, and by signatures that CAS collects', async (t) => {
  const { run, keys, write, folder } = await board(t);
  const [one, two] = keys as [string, string, string];
  const file = join(folder, 'board.deletion');
  assert.equal((await run('session', 'delete', 'board', '--yes')).code, 3, 'the creator alone may not');
  const { id, versions } = JSON.parse((await run('session', 'history', 'board', '--json')).stdout) as {
    readonly id: string;
    readonly versions: readonly { readonly hash: string }[];
  };
  const hash = versions[0]?.hash ?? '';
  const subject = ['--id', id, '--hash', hash];
  const first = await run('session', 'sign-deletion', 'board', ...subject, '--key', one, '-o', file);
  assert.equal(first.code, 0, first.stderr);
  const tooFew = await run('session', 'delete', 'board', '--signed', file, '--yes');
  assert.match(tooFew.stderr, /it does not exist, or this identity may not do that with it/);
  const [message, signature, publicKey] = ['message', 'signature', 'two.pub'].map((of) =>
    join(folder, of),
  ) as [string, string, string];
  writeFileSync(publicKey, createPublicKey(readFileSync(two)).export({ type: 'spki', format: 'pem' }));
  const elsewhere = (expires: string, ...rest: string[]): ReturnType<typeof run> => {
    const about = ['--signed', file, '--signer', publicKey, '--expires', expires];
    return run('session', 'sign-deletion', 'board', ...about, ...rest);
  };
  const moment = '2100-01-31T00:00:00Z';
  const asked = await elsewhere(moment, '--message', message);
  assert.equal(asked.code, 0, asked.stderr);
  assert.match(asked.stderr, /^to be signed by .*; expires 2100-01-31T00:00:00Z\n$/);
  writeFileSync(signature, signMessage(readFileSync(message), createPrivateKey(readFileSync(two))));
  const added = ['--signature', signature, '-o', file];
  assert.match((await elsewhere('2100-02-01T00:00:00Z', ...added)).stderr, /another found/);
  for (const misuse of [
    ['--message', message, ...added],
    ['--key', two, ...added],
  ])
    assert.equal((await elsewhere(moment, ...misuse)).code, 2);
  assert.equal((await elsewhere('7d', ...added)).code, 2);
  assert.equal((await elsewhere(moment, ...added)).code, 0);
  const wrong = await run('session', 'delete', 'other', '--signed', file, '--yes');
  assert.match(wrong.stderr, /the deletion of session 'other' expected, that of 'board' found/);
  const deleted = await run('session', 'delete', 'board', '--signed', file, '--yes');
  assert.match(deleted.stdout, /^[0-9a-f]{64}\n$/, deleted.stderr);

  const again = write('again.yml', '{A: b}');
  writeFileSync(again, `predecessor: ${deleted.stdout.trim()}\n${readFileSync(again, 'utf8')}`);
  assert.equal((await run('session', 'propose', again)).code, 0);
  await run('session', 'approve', 'board', '--key', one);
  assert.match((await run('session', 'approve', 'board', '--key', two)).stdout, /^applied /);

  const proposed = await run('session', 'propose-deletion', 'board');
  assert.equal(proposed.code, 0, proposed.stderr);
  assert.match((await run('session', 'approvals', 'board', '--key', one)).stdout, /deletion of version/);
  const unfit = await run('session', 'approve', 'board', '--key', one, '--file', again);
  assert.match(unfit.stderr, /no file expected for a deletion, one found/);
  assert.match((await run('session', 'approve', 'board', '--key', one)).stdout, /^pending /);
  const last = await run('session', 'approve', 'board', '--key', two);
  assert.equal(last.stdout, `applied ${proposed.stdout}`, last.stderr);
  assert.match((await run('session', 'read', 'board')).stderr, /it was deleted/);
});

void test('a signed and an encrypted session reach CAS through anybody', async (t) => {
  const { run, folder } = await board(t);
  const [plain, signed, encrypted] = ['plain.yml', 'it.signed', 'it.jwe'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const { signer } = JSON.parse((await run('self', 'show-session-signing-key', '--json')).stdout) as {
    signer: string;
  };
  const rule = JSON.stringify({ create_sessions: [{ signer }] });
  writeFileSync(plain, `name: team\nversion: "0.3.12"\naccess_policy: ${rule}\n`);
  assert.equal((await run('session', 'create', plain)).code, 0);
  writeFileSync(plain, 'name: team/signed\nversion: "0.3.12"\n');
  assert.equal((await run('session', 'sign-with-cli-identity', plain, '-o', signed)).code, 0);
  assert.ok(readFileSync(signed, 'utf8').includes(JSON.stringify(signer)));
  const created = await run('session', 'create', signed);
  assert.equal(created.code, 0, created.stderr);
  assert.equal((await run('session', 'create', signed)).code, 3);

  writeFileSync(
    plain,
    'name: hidden\nversion: "0.3.12"\nsecrets: [{name: s, kind: ascii, value: hidden-value}]\n',
  );
  const key = join(folder, 'cas.pem');
  writeFileSync(key, (await run('cas', 'show-identification', '--session-encryption-key')).stdout);
  for (const options of [[], ['--key', key]]) {
    assert.equal((await run('session', 'encrypt', plain, ...options, '-o', encrypted)).code, 0);
    assert.doesNotMatch(readFileSync(encrypted, 'utf8'), /hidden/);
  }
  const carried = await run('session', 'create', encrypted);
  assert.equal(carried.code, 0, carried.stderr);
  assert.match((await run('session', 'read', 'hidden', '--with-secrets')).stdout, /hidden-value/);
});
