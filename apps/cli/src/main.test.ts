import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runningCas, type RunningCas } from '../test/running-cas.ts';
import { shell } from '../test/shell.ts';

const mrenclave = 'ca'.repeat(32);
const sessionFile = `# the session of the app
name: $NAME
version: "0.3.12"
services:
  - name: app
    command: python3 /app/main.py
    attestation: [{mrenclave: ["${'aa'.repeat(32)}"]}]
`;

/** A running CAS, and a session file. */
async function running(
  t: TestContext,
  options: Parameters<typeof runningCas>[2] = {},
): Promise<RunningCas & { readonly file: string }> {
  const cas = await runningCas(t, mrenclave, options);
  const file = join(cas.folder, 'session.yml');
  writeFileSync(file, sessionFile);
  return { ...cas, file };
}

void test('from an attested CAS to an updated session', async (t) => {
  const { run, address, vendor, identity, file } = await running(t);
  const attested = await run(
    'cas',
    'attest',
    address,
    '--mrenclave',
    mrenclave,
    '--insecure-accept-simulation',
    vendor,
  );
  assert.equal(attested.code, 0, attested.stderr);
  assert.match(attested.stdout, new RegExp(`attested by SIMULATED hardware\nidentity: +${identity}`));
  assert.match(attested.stderr, /SIMULATED hardware, which protects nothing/);

  const created = await run('session', 'create', file, '-e', 'NAME=app');
  assert.equal(created.code, 0, created.stderr);
  assert.match(created.stdout, /^[0-9a-f]{64}\n$/);
  assert.match(created.stderr, /SIMULATED/);

  const calculated = await run(
    'session',
    'calculate-hash',
    file,
    '-e',
    'NAME=app',
    '--with-self-as-creator',
    'tls',
  );
  assert.equal(calculated.stdout, created.stdout);
  assert.equal((await run('session', 'verify', file, '-e', 'NAME=app')).stdout, created.stdout);

  const updated = await run('session', 'update', file, '-e', 'NAME=app');
  assert.equal(updated.code, 0, updated.stderr);
  assert.notEqual(updated.stdout, created.stdout);
  const read = await run('session', 'read', 'app', '--with-secrets');
  assert.match(
    read.stdout,
    new RegExp(`^# the session of the app\npredecessor: ${created.stdout}name: "?app"?\n`),
  );
  assert.equal((await run('session', 'verify', file, '-e', 'NAME=app')).stdout, updated.stdout);
  const first = await run('session', 'read', 'app', '--hash', created.stdout.trim(), '--json');
  assert.equal((JSON.parse(first.stdout) as { hash: string }).hash, created.stdout.trim());

  const list = await run('cas', 'list');
  assert.match(list.stdout, new RegExp(`^\\* ${address}  ${identity}  SIMULATED`));
  const shown = await run('cas', 'show-identification', '--json');
  assert.equal((JSON.parse(shown.stdout) as { mrenclave: string }).mrenclave, mrenclave);
});

void test('what CAS refuses has exit code 3, one line and a hint', async (t) => {
  const { run, address, vendor, file } = await running(t);
  await run('cas', 'attest', address, '--mrenclave', mrenclave, '--insecure-accept-simulation', vendor);
  await run('session', 'create', file, '-e', 'NAME=app');
  const again = await run('session', 'create', file, '-e', 'NAME=app');
  assert.equal(again.code, 3);
  assert.match(
    again.stderr,
    /^error: session 'app': a free name expected, it exists with hash [0-9a-f]{64}\nhint: .+\n$/m,
  );
  assert.equal((await run('session', 'read', 'absent')).code, 3);
  assert.equal((await run('session', 'update', file, '-e', 'NAME=absent')).code, 3);
});

void test('a session is listed, has a history, is deleted only on purpose and returns to its owner', async (t) => {
  const { run, address, vendor, file } = await running(t);
  await run('cas', 'attest', address, '--mrenclave', mrenclave, '--insecure-accept-simulation', vendor);
  const created = (await run('session', 'create', file, '-e', 'NAME=app')).stdout.trim();
  await run('session', 'create', file, '-e', 'NAME=other');
  assert.equal((await run('session', 'list')).stdout, 'app\nother\n');
  const limited = await run('session', 'list', '--limit', '1', '--json');
  assert.deepEqual(JSON.parse(limited.stdout), { sessions: ['app'], more: true });
  const refused = await run('session', 'delete', 'app');
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--yes expected: its secrets will be gone for good\nhint: /);
  const deleted = await run('session', 'delete', 'app', '--yes');
  assert.equal(deleted.code, 0, deleted.stderr);
  assert.equal((await run('session', 'list')).stdout, 'other\n');
  const gone = await run('session', 'read', 'app');
  assert.equal(gone.code, 3);
  assert.match(gone.stderr, new RegExp(`it was deleted .*\nhint: .*predecessor: ${deleted.stdout}`));
  const history = (await run('session', 'history', 'app')).stdout.trimEnd().split('\n');
  assert.deepEqual(
    history.map((line) => line.slice(0, 64)),
    [deleted.stdout.trim(), created],
  );
  assert.match((await run('session', 'update', file, '-e', 'NAME=app')).stderr, /hint: .*--bring-back/);
  const back = await run('session', 'update', file, '-e', 'NAME=app', '--bring-back');
  assert.equal(back.code, 0, back.stderr);
  assert.equal((await run('session', 'list')).stdout, 'app\nother\n');
});

void test('only who started CAS, or whom that names, creates top-level sessions', async (t) => {
  const { address, vendor, file } = await running(t);
  const stranger = shell(t);
  const trust = ['--mrenclave', mrenclave, '--insecure-accept-simulation', vendor];
  await stranger.run('cas', 'attest', address, ...trust);
  const refused = await stranger.run('session', 'create', file, '-e', 'NAME=app');
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /this identity may not create top-level sessions/);
});

void test('a CAS that requires attested clients serves this command where it can prove itself', async (t) => {
  const environment: Record<string, string> = {};
  const more = (folder: string): string[] => {
    const path = join(folder, 'clients.yml');
    const service = `{name: client, attestation: [{mrenclave: ["${mrenclave}"]}]}`;
    writeFileSync(
      path,
      `name: clients\nversion: "0.3"\nensconce: {accept_simulation: true}\nservices: [${service}]\n`,
    );
    return ['--require-attested-clients', path];
  };
  const { run, address, vendor, file, folder } = await running(t, { environment, more });
  await run('cas', 'attest', address, '--mrenclave', mrenclave, '--insecure-accept-simulation', vendor);
  const refused = await run('session', 'create', file, '-e', 'NAME=app');
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /an attested client expected, none found\nhint: .*ENSCONCE_LAS/);
  environment['ENSCONCE_LAS'] = join(folder, 'las.sock');
  const created = await run('session', 'create', file, '-e', 'NAME=app');
  assert.equal(created.code, 0, created.stderr);
});

void test('a CAS is not trusted because it was there first', async (t) => {
  const { run, address, vendor, file } = await running(t);
  const without = await run('cas', 'attest', address, '--insecure-accept-simulation', vendor);
  assert.equal(without.code, 2);
  assert.match(without.stderr, /--mrenclave or --mrsigner expected/);

  const unattested = await run('session', 'create', file, '-e', 'NAME=app', '-c', address);
  assert.equal(unattested.code, 4);
  assert.match(unattested.stderr, /an attested one expected, it has not been attested from here\nhint: /);

  const other = await run(
    'cas',
    'attest',
    address,
    '--mrenclave',
    '00'.repeat(32),
    '--insecure-accept-simulation',
    vendor,
  );
  assert.equal(other.code, 4);
  assert.match(
    other.stderr,
    /^error: CAS .*: code is accepted: MRENCLAVE 0{64} expected, MRENCLAVE (ca){32}.*\nhint: ask whoever releases/i,
  );

  const simulated = await run('cas', 'attest', address, '--mrenclave', mrenclave);
  assert.equal(simulated.code, 4, 'simulated evidence without the insecure option');
  assert.equal((await run('cas', 'list')).stdout, 'no CAS has been attested from here\n');
});

void test('another CAS at the address of an attested one is refused', async (t) => {
  const { run, address, vendor, file, folder } = await running(t);
  await run('cas', 'attest', address, '--mrenclave', mrenclave, '--insecure-accept-simulation', vendor);
  const path = join(folder, '.cas', 'config.json');
  const state = readFileSync(path, 'utf8');
  writeFileSync(path, state.replace(/("cas": \{[^}]*"identity": ")[0-9a-f]{64}/, `$1${'0'.repeat(64)}`));
  const refused = await run('session', 'create', file, '-e', 'NAME=app');
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /identity 0{64} expected, [0-9a-f]{64} found\nhint: /);
  const attest = ['cas', 'attest', address, '--mrenclave', mrenclave, '--insecure-accept-simulation', vendor];
  assert.equal((await run(...attest)).code, 4, 'the same code with another key is another CAS');
  assert.equal((await run(...attest, '--identity', '1'.repeat(64))).code, 4);
  assert.equal((await run(...attest, '--replace-identity')).code, 0);
  assert.equal((await run('session', 'create', file, '-e', 'NAME=app')).code, 0);
});

void test('check lists all problems with their places, without a server', async (t) => {
  const { run, folder } = shell(t);
  const file = join(folder, 'bad.yml');
  writeFileSync(file, `${sessionFile.replace('command', 'comand')}secrts: []\n`);
  const checked = await run('session', 'check', file, '-e', 'NAME=app');
  assert.equal(checked.code, 1);
  assert.match(checked.stdout, /bad\.yml:6:5: .*comand/);
  assert.match(checked.stdout, /bad\.yml:8:1: .*secrts/);
  const missing = await run('session', 'check', file);
  assert.match(missing.stdout, /Value for variable \$NAME is missing at line 2 column 7/);
  const json = await run('session', 'check', file, '-e', 'NAME=app', '--json');
  assert.equal((JSON.parse(json.stdout) as { accepted: boolean }).accepted, false);
});

void test('the identity is made once, and is nobody else’s to read', async (t) => {
  const { run, folder } = shell(t);
  const first = await run('self', 'show-key-hash');
  assert.match(first.stdout, /^[1-9A-HJ-NP-Za-km-z]{32,44}\n$/);
  assert.equal((await run('self', 'show-key-hash')).stdout, first.stdout);
  const certificate = (await run('self', 'show-certificate')).stdout;
  assert.match(certificate, /^-----BEGIN CERTIFICATE-----/);
  const file = join(folder, 'me.pem');
  writeFileSync(file, certificate);
  assert.equal((await run('cert', 'show-key-hash', file)).stdout, first.stdout);
  writeFileSync(file, certificate + certificate);
  assert.equal((await run('cert', 'show-key-hash', file)).code, 1);
  const { raw } = new X509Certificate(certificate);
  const hash = createHash('sha256').update(raw).digest('hex');
  assert.equal((await run('self', 'show-certificate-hash')).stdout, `${hash}\n`);
  assert.equal(statSync(join(folder, '.cas', 'config.json')).mode & 0o777, 0o600);
});

void test('every verb explains itself with examples and exit codes', async (t) => {
  const { run } = shell(t);
  const { verbs } = await import('./verbs.ts');
  for (const { name, examples } of verbs) {
    const help = await run(...name.split(' '), '--help');
    assert.equal(help.code, 0, name);
    assert.match(help.stdout, /Examples:\n {2}ensconce|Examples:\n {2}source/, name);
    assert.match(help.stdout, /Exit codes:/, name);
    for (const example of examples) assert.ok(example.includes(`ensconce ${name}`), `${name}: ${example}`);
  }
});

void test('wrong usage has exit code 2, an unreachable CAS 5', async (t) => {
  const { run } = shell(t);
  assert.equal((await run('frobnicate')).code, 2);
  assert.equal((await run('session', 'create')).code, 2);
  assert.equal((await run('cas', 'serve')).code, 2);
  const unreachable = await run('cas', 'attest', '127.0.0.1:1', '--mrenclave', mrenclave);
  assert.equal(unreachable.code, 5);
  assert.match(unreachable.stderr, /^error: CAS at 127\.0\.0\.1:1: .*\nhint: /);
});

void test('completion scripts name every verb', async (t) => {
  const { run } = shell(t);
  for (const name of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await run('completion', name);
    assert.equal(code, 0);
    for (const word of ['attest', 'serve', 'calculate-hash', '--mrenclave']) {
      assert.ok(stdout.includes(word), `${name}: ${word}`);
    }
  }
});

void test('a stopped CAS ends well and says so in its audit log', async (t) => {
  const { stop, folder } = await running(t);
  assert.equal(((await stop()) as { code: number }).code, 0);
  assert.match(readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8'), /"CAS exited"/);
});

void test('what a session gives to whom, and what an update changes, is said in words without a server', async (t) => {
  const { run, folder } = shell(t);
  const [before, after] = [join(folder, 'before.yml'), join(folder, 'after.yml')];
  writeFileSync(before, sessionFile);
  writeFileSync(after, `${sessionFile}access_policy: {read: [ANY]}\n`);
  const explained = await run('session', 'explain', before, 'app', '-e', 'NAME=x');
  assert.equal(explained.code, 0, explained.stderr);
  assert.match(explained.stdout, /^x\/app\n/);
  assert.match(explained.stdout, /measurement (aa){32}/);
  assert.equal((await run('session', 'explain', before, 'nobody', '-e', 'NAME=x')).code, 1);
  const same = await run('session', 'diff', before, before, '-e', 'NAME=x');
  assert.equal(same.stdout, 'nothing changes\n');
  const changed = await run('session', 'diff', before, after, '-e', 'NAME=x');
  assert.match(changed.stdout, /^\+ access: .*anybody/m);
  const schema = await run('session', 'schema');
  assert.equal((JSON.parse(schema.stdout) as { type: string }).type, 'object');
});
