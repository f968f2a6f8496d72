import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { parseSession, parseSessionOrThrow } from './parse.ts';
import { generateKeyPairSync } from 'node:crypto';

const mre = 'ab'.repeat(32);
const service = `services:\n- {name: app, command: run, mrenclaves: [${mre}]}\n`;
const head = `name: s\nversion: "0.3"\n`;
const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
const quoted = JSON.stringify(pem);

/** Each text is refused, with an error at this line and column whose message matches. */
const refused: readonly (readonly [
  name: string,
  text: string,
  at: string,
  message: RegExp,
  suggestion?: string,
])[] = [
  ['an unknown key', `${head}servces: []\n`, '3:1', /a session has no key "servces"/, 'services'],
  [
    'a misspelt key of a service',
    `${head}services:\n- name: a\n  comand: x\n  mrenclaves: [${mre}]\n`,
    '5:3',
    /no key "comand"/,
    'command',
  ],
  [
    'an unknown key of ensconce',
    `${head}ensconce: {accept_simulations: true}\n`,
    '3:12',
    /no key/,
    'accept_simulation',
  ],
  ['a duplicate key', `${head}name: t\n`, '3:1', /each key once expected, "name" found again/],
  ['no name', 'version: "0.3"\n', '1:1', /the key `name`/],
  ['a name with a look-alike letter', 'name: pаy\nversion: "0.3"\n', '1:7', /a session name/],
  ['a name that climbs', 'name: a/../b\n', '1:7', /a session name/],
  ['a version of the future', 'name: s\nversion: "0.4"\n', '2:10', /a version of the session language/],
  ['a list instead of a map', '- name: s\n', '1:1', /a session expected, a list found/],
  [
    'a map instead of a list',
    `${head}services: {name: a}\n`,
    '3:11',
    /a list of services expected, a map found/,
  ],
  ['predecessor and namespace_hash', `${head}predecessor: ${mre}\nnamespace_hash: ${mre}\n`, '4:17', /found/],
  [
    'a short predecessor',
    `${head}predecessor: abcd\n`,
    '3:14',
    /64 hexadecimal digits expected, `abcd` found/,
  ],
  [
    'a service twice',
    `${head}${service}- {name: app, command: run, mrenclaves: [${mre}]}\n`,
    '5:10',
    /each service name once/,
  ],
  [
    'a service without attestation',
    `${head}services:\n- name: app\n  command: run\n`,
    '4:3',
    /attestation or mrenclaves expected/,
  ],
  [
    'attestation: {}',
    `${head}services:\n- {name: a, command: b, attestation: {}}\n`,
    '4:38',
    /at least one of mrenclave and signer/,
  ],
  [
    'attestation: []',
    `${head}services:\n- {name: a, command: b, attestation: []}\n`,
    '4:38',
    /at least 1 of attestation variants/,
  ],
  [
    'mrenclave: []',
    `${head}services:\n- {name: a, command: b, attestation: {mrenclave: []}}\n`,
    '4:50',
    /at least 1 of measurements/,
  ],
  [
    'attestation without a value',
    `${head}services:\n- {name: a, command: b, attestation: }\n`,
    '4:38',
    /attestation factors/,
  ],
  [
    'attestation and mrenclaves',
    `${head}services:\n- {name: a, command: b, attestation: {mrenclave: ${mre}}, mrenclaves: [${mre}]}\n`,
    '4:3',
    /both found/,
  ],
  [
    'isvsvn and isvsvn_min',
    `${head}services:\n- {name: a, command: b, attestation: {signer: {mrsigner: ${mre}, isvsvn: 1, isvsvn_min: 1}}}\n`,
    '4:47',
    /both found/,
  ],
  [
    'isvsvn_min above isvsvn_max',
    `${head}services:\n- {name: a, command: b, attestation: {signer: {mrsigner: ${mre}, isvsvn_min: 2, isvsvn_max: 1}}}\n`,
    '4:47',
    /at most/,
  ],
  [
    'empty platforms',
    `${head}services:\n- {name: a, command: b, mrenclaves: [${mre}], platforms: []}\n`,
    `4:${41 + 75}`,
    /at least 1 of platforms/,
  ],
  [
    'an open quote in a command',
    `${head}services:\n- {name: a, command: "run 'x", mrenclaves: [${mre}]}\n`,
    '4:22',
    /a closing '/,
  ],
  [
    'an empty command',
    `${head}services:\n- {name: a, command: " ", mrenclaves: [${mre}]}\n`,
    '4:22',
    /a program/,
  ],
  [
    '@@N twice',
    `${head}services:\n- {name: a, command: run @@1 @@1, mrenclaves: [${mre}]}\n`,
    '4:22',
    /at most once/,
  ],
  [
    'a variable of policy and host',
    `${head}services:\n- {name: a, command: b, mrenclaves: [${mre}], environment: {A: x, '\\@\\@A': ''}}\n`,
    '4:3',
    /both found/,
  ],
  [
    'an unknown image',
    `${head}${service.replace('command', () => 'image_name: imagf, command')}images:\n- name: image\n`,
    '4:27',
    /an image of this session/,
    'image',
  ],
  [
    'an unknown volume',
    `${head}images:\n- {name: i, volumes: [{name: dota, path: /d}]}\nvolumes:\n- name: data\n`,
    '4:30',
    /a volume of this session/,
    'data',
  ],
  [
    'an unknown secret',
    `${head}${service.replace('run', () => '"run $$SCONE::keey$$"')}secrets:\n- {name: key, kind: ascii}\n`,
    '4:24',
    /a secret of this session/,
    'key',
  ],
  [
    'an unknown format',
    `${head}${service.replace('run', () => '"run $$SCONE::key:hexx$$"')}secrets:\n- {name: key, kind: ascii}\n`,
    '4:24',
    /a format of the kind ascii/,
    'hex',
  ],
  [
    'a broken reference',
    `${head}${service.replace('run', () => '"run $$SCONE::key"')}secrets:\n- {name: key, kind: ascii}\n`,
    '4:24',
    /\$\$SCONE::name/,
  ],
  ['a secret without kind', `${head}secrets:\n- name: a\n`, '4:3', /`kind`/],
  ['an unknown kind', `${head}secrets:\n- {name: a, kind: asci}\n`, '4:19', /one of ascii/, 'ascii'],
  [
    'a parameter of another kind',
    `${head}secrets:\n- {name: a, kind: ascii, key_type: P-256}\n`,
    '4:26',
    /a parameter of the kind ascii/,
  ],
  [
    'a binary value that is not hex',
    `${head}secrets:\n- {name: a, kind: binary, value: xy}\n`,
    '4:34',
    /hexadecimal/,
  ],
  ['size 0', `${head}secrets:\n- {name: a, kind: ascii, size: 0}\n`, '4:32', /a size from 1/],
  [
    'import and import_akv',
    `${head}secrets:\n- name: a\n  import: {session: b}\n  import_akv: {vault: v, secret_name: s, token: t}\n- {name: t, kind: aad-token, tenant_id: t, client_id: c, application_secret: x}\n`,
    '4:3',
    /import or import_akv/,
  ],
  ['x509 without a key', `${head}secrets:\n- {name: a, kind: x509}\n`, '4:3', /private_key/],
  [
    'issuers in a circle',
    `${head}secrets:\n- {name: k, kind: private-key}\n- {name: a, kind: x509-ca, private_key: k, issuer: b}\n- {name: b, kind: x509-ca, private_key: k, issuer: a}\n`,
    '5:52',
    /a circle/,
  ],
  ['ANY beside another', `${head}access_policy: {read: [ANY, CREATOR]}\n`, '3:23', /alone expected/],
  ['an empty list of readers', `${head}access_policy: {read: []}\n`, '3:23', /at least one entry/],
  ['a signer in read', `${head}access_policy: {read: [{signer: ${quoted}}]}\n`, '3:25', /a signer found/],
  [
    'governance in read',
    `${head}access_policy: {read: [{require-all: [CREATOR]}]}\n`,
    '3:25',
    /governance only/,
  ],
  ['an empty require-all', `${head}access_policy: {update: [{require-all: []}]}\n`, '3:40', /at least one/],
  [
    'require-at-least-0',
    `${head}access_policy: {update: [{require-at-least-0: [CREATOR]}]}\n`,
    '3:27',
    /from 1 to 1/,
  ],
  [
    'more than there are keys',
    `${head}access_policy: {update: [{require-at-least-2: [{signer: ${quoted}}, {signer: ${JSON.stringify(`\n${pem}\n`)}}]}]}\n`,
    '3:27',
    /from 1 to 1/,
  ],
  [
    'ANY in governance',
    `${head}access_policy: {update: [{require-all: [ANY, CREATOR]}]}\n`,
    '3:40',
    /ANY or NONE found/,
  ],
  [
    'a certificate that is none',
    `${head}access_policy: {update: ["-----BEGIN CERTIFICATE-----"]}\n`,
    '3:26',
    /one X.509 certificate/,
  ],
  [
    'an unknown toleration',
    `${head}security: {attestation: {tolerate: [hyperthreding]}}\n`,
    '3:37',
    /one of debug-mode/,
    'hyperthreading',
  ],
  ['maa without url', `${head}security: {attestation: {mode: maa}}\n`, '3:25', /the url/],
  [
    'permission as people write it',
    `${head}images:\n- {name: i, injection_files: [{path: /a, content: x, permission: 0400}]}\n`,
    '4:66',
    /permission bits/,
    '0o400',
  ],
  ['a relative path', `${head}images:\n- {name: i, injection_files: [a]}\n`, '4:31', /an absolute path/],
  ['a path with ..', `${head}images:\n- {name: i, injection_files: [/a/../b]}\n`, '4:31', /an absolute path/],
  ['a path twice', `${head}images:\n- {name: i, injection_files: [/a, /a]}\n`, '4:35', /each path once/],
  [
    'a volume import from another CAS',
    `${head}volumes:\n- {name: v, import: {session: s2, cas_url: c, cas_key: k, volume: v}}\n`,
    '4:21',
    /a remote one found/,
  ],
  ['half an fspf', `${head}volumes:\n- {name: v, fspf_tag: ${'ab'.repeat(16)}}\n`, '4:3', /together/],
  [
    'a session above the root',
    `${head}secrets:\n- {name: a, import: {session: ../../x}}\n`,
    '4:21',
    /below the root/,
  ],
  ['a tag that means nothing', `${head}secrets: !!python/object []\n`, '3:26', /with the tag/],
  ['an alias without an anchor', `${head}secrets: *a\n`, '3:10', /an anchor &a/],
  ['an alias to its own parent', `${head}secrets: &a [*a]\n`, '3:14', /its own parent/],
  ['two documents', `${head}---\nname: t\n`, '3:1', /one YAML document/],
  ['half a surrogate pair', `${head}services:\n- {name: app, command: "\\ud800"}\n`, '4:24', /surrogate/],
  ['broken YAML', `${head}services: [\n`, '4:1', /YAML/],
  ['nothing', '', '1:1', /an empty text found/],
];
for (const [name, text, at, message, suggestion] of refused) {
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
