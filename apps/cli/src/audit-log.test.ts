import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runningCas, type RunningCas } from '../test/running-cas.ts';
import { shell, type Result } from '../test/shell.ts';

const mrenclave = 'ca'.repeat(32);
const sessionFile = `name: $NAME
version: "0.3.12"
services:
  - name: app
    command: python3 /app/main.py
    attestation: [{mrenclave: ["${'aa'.repeat(32)}"]}]
`;

interface Audited extends RunningCas {
  readonly file: string;
  readonly log: () => string;
  /** Verifies a file with this text. */
  readonly verify: (text: string, ...more: string[]) => Promise<Result>;
}

/** An attested CAS with a session that was created and read. */
async function audited(t: TestContext): Promise<Audited> {
  const user = await runningCas(t, mrenclave);
  const { run, address, vendor, folder } = user;
  const file = join(folder, 'session.yml');
  writeFileSync(file, sessionFile);
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
  assert.match(attested.stdout, /audit log: +1 records/);
  await run('session', 'create', file, '-e', 'NAME=app');
  for (let i = 0; i < 4; i++) await run('session', 'read', 'app');
  await run('cas', 'show-checkpoint');
  return {
    ...user,
    file,
    log: () => readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8'),
    verify: (text, ...more) => {
      const copy = join(folder, 'copy.jsonl');
      writeFileSync(copy, text);
      return run('cas', 'verify-audit-log', copy, ...more);
    },
  };
}

const linesOf = (lines: readonly (string | undefined)[]): string => lines.map((line) => `${line}\n`).join('');

void test('a copy of the audit log is verified without CAS, and against what was seen before', async (t) => {
  const { log, verify, run, folder } = await audited(t);
  const text = log();
  const good = await verify(text);
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^\d+:[0-9a-f]{64}\n$/);
  assert.equal((await verify(text, '--last', good.stdout.trim())).code, 0);
  assert.equal((await verify(text, '--online')).code, 0);
  const shown = JSON.parse((await verify(text, '--online', '--json')).stdout) as {
    sequence: number;
    newest: number;
  };
  assert.equal(shown.newest, shown.sequence);
  assert.equal((await run('cas', 'verify-audit-log', '/nowhere')).code, 1);
  assert.equal((await verify(text, '--last', 'nonsense')).code, 2);
  const [first, second, ...rest] = text.trimEnd().split('\n');
  writeFileSync(join(folder, 'old.jsonl'), linesOf([first, second]));
  const split = await verify(linesOf(rest), '--predecessor', join(folder, 'old.jsonl'));
  assert.equal(split.code, 0, split.stderr);
});

void test('each way in which a log can be false has its exit code', async (t) => {
  const { log, verify, run, identity } = await audited(t);
  const text = log();
  const lines = text.trimEnd().split('\n');
  const [one, two, three, four, five] = lines;
  assert.ok(five !== undefined, text);
  const other = await audited(t);
  const cases: [string, number, string, ...string[]][] = [
    ['the newest records are cut off', 14, linesOf([one, two])],
    ['the oldest records are cut off', 15, linesOf(lines.slice(2))],
    ['a record in between is gone', 17, linesOf([one, two, ...lines.slice(3)])],
    ['another record was seen there', 17, text, '--last', `2:${'0'.repeat(64)}`],
    ['of another CAS', 19, other.log()],
    ['two records changed places', 17, linesOf([one, three, two, four, five])],
    ['a record twice', 20, linesOf([one, two, two, three, four])],
    ['a name changed', 20, text.replace('"session":"app"', '"session":"axx"')],
    ['the last signature changed', 20, text.replace(/"signature":"....(?=[^\n]*\n$)/, '"signature":"AAAA')],
    ['nothing', 20, ''],
    ['the records of another CAS follow', 20, linesOf([one, ...other.log().trimEnd().split('\n').slice(1)])],
  ];
  for (const [what, code, changed, ...more] of cases) {
    const result = await verify(changed, ...more);
    assert.equal(result.code, code, `${what}: ${result.stderr}`);
    assert.match(result.stderr, /^error: audit log of CAS .+\nhint: .+\n$/, what);
    assert.equal(result.stdout, '', what);
  }
  const stranger = shell(t);
  const copy = join(stranger.folder, 'log');
  writeFileSync(copy, text);
  const unseen = await stranger.run('cas', 'verify-audit-log', copy, '--identity', identity);
  assert.equal(unseen.code, 16, unseen.stderr);
  assert.match(unseen.stdout, /^\d+:[0-9a-f]{64}\n$/);
  const again = ['cas', 'verify-audit-log', copy, '--identity', identity, '--last', unseen.stdout.trim()];
  assert.equal((await stranger.run(...again)).code, 0);
  assert.equal((await run('cas', 'verify-audit-log', copy, '--identity', identity, '--online')).code, 2);
});

void test('a log of the first format is still verified', async (t) => {
  const user = shell(t);
  const golden = new URL('../../../test/golden/audit/ensconce-audit-1.jsonl', import.meta.url).pathname;
  const identity = '18ad2e3de6b15bf85f7c4e4d73a899068a7ea9679f7687f1bf7f4163e3c73e02';
  const first = await user.run('cas', 'verify-audit-log', golden, '--identity', identity);
  assert.equal(first.code, 16, first.stderr);
  const last = first.stdout.trim();
  const second = await user.run('cas', 'verify-audit-log', golden, '--identity', identity, '--last', last);
  assert.equal(second.code, 0, second.stderr);
});

void test('a CAS that was put back to an earlier state raises the alarm at the next command', async (t) => {
  const user = await audited(t);
  const { run, start, folder, file, vendor, address } = user;
  await user.stop();
  const saved = join(folder, 'saved');
  cpSync(join(folder, 'state'), saved, { recursive: true });
  const serve = (): ReturnType<typeof start> =>
    start(
      'cas',
      'serve',
      '--state',
      join(folder, 'state'),
      '--las',
      join(folder, 'las.sock'),
      '--log-level',
      'silent',
      '--listen-client',
      address,
      '--listen-service',
      '127.0.0.1:0',
      '--insecure-accept-simulation',
      vendor,
    );
  const second = await serve();
  for (let i = 0; i < 3; i++) assert.equal((await run('session', 'read', 'app')).code, 0);
  assert.equal((await run('cas', 'show-checkpoint')).code, 0);
  await second.stop();
  rmSync(join(folder, 'state'), { recursive: true });
  cpSync(saved, join(folder, 'state'), { recursive: true });
  await serve();
  const alarmed = await run('session', 'create', file, '-e', 'NAME=other');
  assert.equal(alarmed.code, 6, alarmed.stderr);
  assert.match(alarmed.stderr, /ALARM: CAS [0-9a-f]{64} has signed two histories of its audit log/);
  const path = /kept in (.+)\n/.exec(alarmed.stderr)?.[1] ?? '';
  assert.equal((JSON.parse(readFileSync(path, 'utf8')) as { notes: string[] }).notes.length, 2);
  assert.equal((await run('session', 'read', 'app')).code, 6, 'as long as nobody has looked into it');
  assert.equal((await run('session', 'audit', 'app')).code, 6);
  assert.equal((await run('cas', 'verify-audit-log', join(folder, 'state', 'audit.jsonl'))).code, 14);
});

void test('the key that signs the log is attested, and other tools can use it', async (t) => {
  const { run, vendor } = await audited(t);
  const attested = await run('cas', 'attest-audit-log', '--insecure-accept-simulation', vendor);
  assert.equal(attested.code, 0, attested.stderr);
  assert.match(
    attested.stdout,
    /by SIMULATED hardware\nsigning key: [0-9a-f]{64}\nnote key: +ensconce-cas\/[0-9a-f]{64}\+/,
  );
  const key = /note key: +(\S+)/.exec(attested.stdout)?.[1];
  assert.equal((await run('cas', 'show-checkpoint', '--key')).stdout.trim(), key);
  const { stdout } = await run('cas', 'show-checkpoint');
  assert.match(stdout, /^ensconce-cas\/[0-9a-f]{64}\n\d+\n[A-Za-z0-9+/]{43}=\n\n— ensconce-cas/);
  const unbelieving = await run('cas', 'attest-audit-log', '--collateral', '/dev/null');
  assert.notEqual(unbelieving.code, 0, 'simulated hardware that was not accepted');
});

void test('who may read a session sees all that the log has on it, from CAS and from a copy', async (t) => {
  const { run, log, folder } = await audited(t);
  await run('session', 'read', 'app');
  const online = await run('session', 'audit', 'app');
  assert.equal(online.code, 0, online.stderr);
  assert.match(online.stdout, /^#2 {2}.+Session created {2}by .+\n/);
  assert.match(online.stdout, /\nsession app: \d records; these are all in the log of \d records\n$/);
  const copy = join(folder, 'copy.jsonl');
  writeFileSync(copy, log());
  const offline = await run('session', 'audit', 'app', '--log', copy);
  assert.equal(offline.stdout, online.stdout, offline.stderr);
  const secret = await run('session', 'audit', 'app', '--secret', 'token');
  assert.match(secret.stdout, /^secret token of session app: never released, by all \d records/);
  const parsed = JSON.parse((await run('session', 'audit', 'app', '--json')).stdout) as { count: number };
  assert.equal(parsed.count, online.stdout.trim().split('\n').length - 1);
  writeFileSync(copy, log().replace('"Session read"', '"Session reed"'));
  assert.equal((await run('session', 'audit', 'app', '--log', copy)).code, 20);
  assert.equal((await run('session', 'audit', 'nobody')).code, 3);
});

void test('a single record is proved to be in the log', async (t) => {
  const { run, log, folder } = await audited(t);
  const file = join(folder, 'record');
  const line = log().split('\n')[1] ?? '';
  writeFileSync(file, `${line}\n`);
  const proved = await run('cas', 'verify-record', file);
  assert.match(proved.stdout, /^record 2 \(Session created, .+\) is in the log of \d records\n$/);
  writeFileSync(file, line.replace('"app"', '"axx"'));
  const forged = await run('cas', 'verify-record', file);
  assert.equal(forged.code, 4, forged.stderr);
});

void test('a change that the host undid as if CAS had crashed shows in the log', async (t) => {
  const { run, start, stop, file, folder, address, vendor, verify, log } = await audited(t);
  const serve = async (): Promise<{ readonly stop: () => Promise<Result> }> =>
    start(
      'cas',
      'serve',
      '--state',
      join(folder, 'state'),
      '--listen-client',
      address,
      '--listen-service',
      '127.0.0.1:0',
      '--insecure-accept-simulation',
      vendor,
      '--log-level',
      'silent',
    );
  await stop();
  const database = join(folder, 'state', 'cas.db');
  const old = readFileSync(database);
  const second = await serve();
  assert.equal((await run('session', 'create', file, '-e', 'NAME=undone')).code, 0);
  await second.stop();
  const lines = log().trimEnd().split('\n');
  writeFileSync(database, old);
  writeFileSync(join(folder, 'state', 'audit.jsonl'), linesOf(lines.slice(0, -1)));
  const third = await serve();
  assert.equal((await run('session', 'read', 'undone')).code, 3);
  await third.stop();
  const lost = await verify(log());
  assert.equal(lost.code, 10, lost.stderr);
  assert.match(lost.stdout, /^\d+:[0-9a-f]{64}\n$/);
  assert.equal((await verify(log(), '--last', lost.stdout.trim())).code, 0);
  assert.equal((await run('session', 'audit', 'app', '--log', join(folder, 'copy.jsonl'))).code, 10);
});
