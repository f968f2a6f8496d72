import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { parseSession, parseSessionOrThrow } from './parse.ts';
import { refusedSessions } from './test/refused-sessions.ts';

const mre = 'ab'.repeat(32);
const head = `name: s\nversion: "0.3"\n`;

for (const [name, text, at, message, suggestion] of refusedSessions) {
  void test(`refused: ${name}`, () => {
    const { session, problems } = parseSession(text);
    assert.equal(session, undefined);
    const here = problems.find((problem) => problem.severity === 'error' && message.test(problem.message));
    assert.ok(here, `no such problem among ${JSON.stringify(problems)}`);
    assert.equal(`${here.line}:${here.column}`, at);
    if (suggestion !== undefined) assert.equal(here.suggestion, suggestion);
  });
}

void test('all problems come at once, in the order of the text', () => {
  const { problems } = parseSession(
    'nam: x\nversion: "9"\nservices:\n- {name: "a b", comand: x}\nsecrets:\n- {name: a, kind: x}\n',
  );
  const places = problems
    .filter(({ severity }) => severity === 'error')
    .map(({ line, column }) => `${line}:${column}`);
  assert.deepEqual(places, ['1:1', '1:1', '2:10', '4:10', '4:17', '6:19']);
});

void test('a session is normalised, with defaults filled in', () => {
  const { session, problems } = parseSession(`
name: ns/app
version: 0.3.10
predecessor: ~
services:
- name: app
  image_name: image
  command: python3 -c 'print("hi there")' "a b" c\\ d @@2
  environment: {A: 1.10, B: yes, C: , '\\@\\@TERM': x, D: "$$SCONE::key:hex$$"}
  attestation:
  - mrenclave: ${mre.toUpperCase()}
    signer: {mrsigner: ${mre}, isvprodid: 3, isvsvn_min: 2}
  - mrenclave: [${mre}, ${'cd'.repeat(32)}]
  ensconce: {user: "1000:1000", host_files: [/etc/resolv.conf]}
images:
- name: image
  injection_files: [/etc/template, {path: /x, content: "$$SCONE::key$$", permission: 0o400}]
  ensconce: {layers: [{root: ${mre}, key: "$$SCONE::key:hex$$"}]}
secrets:
- {name: key, kind: binary, size: 32}
- {name: theirs, import: {session: ../other, secret: x}}
security: {attestation: {tolerate: [outdated-tcb, outdated-tcb], ignore_advisories: ["*"], url: }}
ensconce: {accept_simulation: true}
`);
  assert.deepEqual(
    problems.filter(({ severity }) => severity === 'error'),
    [],
  );
  assert.ok(session && Object.isFrozen(session.services[0]?.command));
  assert.deepEqual(session.services[0]?.command, ['python3', '-c', 'print("hi there")', 'a b', 'c d', '@@2']);
  assert.deepEqual(session.services[0]?.environment, { A: '1.10', B: 'yes', C: '', D: '$$SCONE::key:hex$$' });
  assert.deepEqual(session.services[0]?.hostEnvironment, ['TERM']);
  assert.equal(session.services[0]?.pwd, '/');
  assert.equal(session.services[0]?.attestation[0]?.mrenclave?.[0], mre);
  assert.deepEqual(
    session.images[0]?.injectionFiles.map(({ mode }) => mode),
    [0o700, 0o400],
  );
  assert.equal(session.secrets[1]?.import?.from.session, 'ns/other');
  assert.deepEqual(session.accessPolicy.createSessions, [{ kind: 'creator' }]);
  assert.equal(session.security.attestation.ignoreAdvisories, '*');
  assert.deepEqual(session.security.attestation.tolerate, ['outdated-tcb']);
  assert.equal(session.acceptSimulation, true);
});

void test('forms that older policies have are accepted', () => {
  const { session, problems } = parseSession(`
name: old
digest: create
predecessor: null
version: "0.2"
services:
- name: app
  image_name: registry.example/team/app:latest
  mrenclaves: [${mre}]
  tags: [demo]
  command: run --debug
  environment: {DEBUG: 1, SMTP_PASSWORD: ""}
  fspf_path: /f.pb
  fspf_key: ${mre}
  fspf_tag: ${'0f'.repeat(16)}
  persistency: None
images:
- name: registry.example/team/app:latest
  mrenclaves: [${mre}]
  injection_files:
  - {path: /cert.pem, content: $$SCONE::SERVER_CERT.crt$$}
  - {path: /key.pem, content: $$SCONE::SERVER_CERT.key$$}
  - {path: /chain.pem, content: $$SCONE::CA.chain$$}
secrets:
- {name: SERVER_CERT, kind: x509, issuer: CA}
- {name: CA, kind: session-ca}
- {name: bundle, kind: x509-ca, export_public: true, value: "-----BEGIN CERTIFICATE-----"}
- {name: theirs, kind: ascii, import: {session: /other, secret: x}, export: {session: third, session_hash: ${mre}}}
`);
  assert.ok(session, JSON.stringify(problems));
  assert.equal(session.secrets[1]?.kind, 'x509-ca');
  assert.equal(session.secrets[3]?.import?.from.session, 'other');
  assert.equal(session.services[0]?.attestation[0]?.mrenclave?.length, 1);
  const single = parseSession(
    `name: s\nversion: "0.3"\naccess_policy: {read: ${'3s1pm8W6'.repeat(11)}}\nservices: [{name: a, command: b, mrenclaves: ${mre}, fspf_path: fs.pb}]\nsecurity: {attestation: {tolerate: debug-mode}}\n`,
  );
  assert.ok(single.session, JSON.stringify(single.problems));
  assert.ok(single.problems.some(({ message }) => message.includes('matches nobody')));
  const open = parseSession(
    'name: s\nversion: "0.3"\nservices: [{name: a, image_name: b, pwd: /root}]\nsecurity: {attestation: {mode: none, one_time_password_shared_secret: ABCDEFGHABCDEFGHABCDEFGH22}}\n',
  );
  assert.ok(open.session, JSON.stringify(open.problems));
});

void test('doubtful things are warned of and accepted', () => {
  const { session, problems } = parseSession(
    `name: s\nservices:\n- {name: a, command: "sh @@1", mrenclaves: [nonsense], environment: {'\\@\\@LD_PRELOAD': ''}}\nsecurity: {attestation: {tolerate: [debug]}}\n`,
  );
  assert.ok(session);
  assert.deepEqual(session.security.attestation.tolerate, ['debug-mode']);
  const text = problems.map(({ message }) => message).join('\n');
  for (const part of [
    /language 0.1/,
    /may look like an option/,
    /matches no measurement/,
    /LD_PRELOAD/,
    /read as `debug-mode`/,
  ]) {
    assert.match(text, part);
  }
});

void test('errors never show a value that may be secret', () => {
  const { problems } = parseSession(
    `${head}secrets:\n- {name: a, kind: binary, value: "hunter2 hunter2\\nx"}\n`,
  );
  assert.ok(problems.length > 0 && problems.every(({ message }) => !message.includes('hunter2')));
});

void test('parseSessionOrThrow throws our own error with every problem', () => {
  assert.throws(
    () => parseSessionOrThrow('a: 1\nb: 2\n'),
    (error) => error instanceof PolicyError && error.code === 'POLICY_INVALID' && error.problems.length === 3,
  );
});
