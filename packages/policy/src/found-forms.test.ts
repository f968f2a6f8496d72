import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainService } from './explain.ts';
import { parseSession } from './parse.ts';

/** Forms in which public repositories write sessions, each in an example of our own. */
const mre = 'ab'.repeat(32);
const head = 'name: s\nversion: "0.3"\n';
const service = (rest: string): string => `${head}services:\n- name: a\n  mrenclaves: [${mre}]\n${rest}`;
const plain = service('  command: x\n');
const pem = (label: string): string =>
  `|\n      -----BEGIN ${label}-----\n      QUJD\n      -----END ${label}-----\n`;

const accepted: Readonly<Record<string, string>> = {
  'a namespace, with an empty predecessor': `${head}predecessor: \naccess_policy:\n  read:\n    - CREATOR\n  update:\n   - CREATOR\n  create_sessions:\n    - CREATOR\n`,
  'predecessor ~': `${head}predecessor: ~\n`,
  'sections without a value': 'name: s\nservices:\nsecrets: ~\nimages:\nvolumes:\nsecurity:\n',
  'a version that YAML takes for a number': 'name: s\nversion: 0.3\n',
  'quotes of both kinds': `name: 's'\nversion: '0.3.10'\n`,
  'an older digest and tags': `name: s\ndigest: create\nservices:\n- {name: a, mrenclaves: [${mre}], tags: [x], command: y}\nimages:\n- {name: i, mrenclaves: [${mre}], tags: [x]}\n`,
  'variables that YAML takes for something else': service(
    '  command: x\n  environment:\n    A: 1\n    B: 1.5\n    C: true\n    D: ~\n    E:\n    F: "-buildmode: pie"\n    G: no\n    H: 2024-01-01\n',
  ),
  'a host variable, escaped and not': service(
    '  command: x\n  environment:\n    "@@A": ""\n    \\@\\@B: ignored\n',
  ),
  'references side by side, in a block, behind text, and with the older suffix of bytes': `${head}services:\n- name: a\n  command: [db, -uroot, "-p$$SCONE::root$$", --port, 3306]\n  environment:\n    BOTH: $$SCONE::cert:privatekey$$$$SCONE::cert$$\n    BLOCK: |\n      $$SCONE::cert:privatekey:pkcs8:pem$$\n      $$SCONE::cert:crt:pem$$"\n  image_name: i\n  mrenclaves: [${mre}]\nimages:\n- name: i\n  injection_files:\n  - path: /keys\n    content: "1;$$SCONE::bytes.hex$$"\n  - path: /conf\n    content: |\n      {"path": "$.data.x", "price": "5$"}\nsecrets:\n- {name: root, kind: ascii, value: "098098"}\n- {name: bytes, kind: binary, size: 32}\n- name: cert\n  kind: x509\n  import:\n    session: certificates\n    secret: cert\n`,
  'a version without quotes': 'name: s\nversion: 0.3.10\naccess_policy: {read: [ANY], update: [NONE]}\n',
  'one measurement without a list': `${head}services:\n- {name: a, command: x, mrenclaves: ${mre}}\n`,
  'measurements that are none, or of another length': `${head}services:\n- {name: a, command: x, mrenclaves: [mrEnclave1, "${mre.slice(2)}"]}\n`,
  'attestation as list and as map': `${head}services:\n- name: a\n  command: x\n  attestation:\n    - mrenclave:\n      - ${mre}\n- name: b\n  command: x\n  attestation:\n    signer:\n      mrsigner: ${mre}\n      isvprodid: 41316\n      isvsvn: 5\n`,
  'mode none without any measurement, and without a command': `${head}services:\n- name: a\n  image_name: i\n  pwd: "/root"\nimages:\n- name: i\nsecurity:\n  attestation:\n    mode: none\n`,
  'an image of a registry that is not defined': service(
    '  image_name: registry.example/team/app:1.5.0-alpine\n  command: /bin/app\n',
  ),
  'quotes in a command': service(`  command: sh -c "echo 'a b' && exec \\"$@\\"" -- @@1 @@2\n`),
  'a command as list, with numbers': service(
    '  command: ["mongo", "--port", 27017, "--eval", "f({a: 1})"]\n',
  ),
  'every advisory, as a list': `${plain}security: {attestation: {tolerate: [debug-mode], ignore_advisories: ["*"]}}\n`,
  'an advisory twice': `${plain}security: {attestation: {ignore_advisories: [INTEL-SA-00076, INTEL-SA-00076]}}\n`,
  'nothing tolerated, as empty lists': `${plain}security: {attestation: {tolerate: [], ignore_advisories: []}}\n`,
  'one toleration without a list, and by its other name': `${plain}security: {attestation: {tolerate: debug}}\n`,
  'maa without certificates': `${plain}security:\n  attestation:\n    mode: maa\n    url: https://shared.example\n    tolerate: [debug-mode, maa-managed-tcb]\n`,
  'a shared secret of one-time passwords': `${plain}security:\n  attestation:\n    one_time_password_shared_secret: ONSWUYLMNVQW433KOV2GK23BOI2TCOJU\n`,
  'keys of former quoting enclaves': `${plain}security: {attestation: {trusted_scone_qe_pubkeys: ["${mre}"]}}\n`,
  'a certificate that is given, exported to one session': `${head}secrets:\n  - name: cert\n    kind: x509\n    value: ${pem('CERTIFICATE')}    issuer: ca\n    private_key: key\n    export:\n        session: other\n        session_hash: ${mre}\n  - name: ca\n    kind: x509-ca\n    export_public: true\n    value: ${pem('CERTIFICATE')}  - name: key\n    kind: private-key\n    value: ${pem('PRIVATE KEY')}`,
  'certificates that CAS makes, with older suffixes': `name: s\nversion: "0.2"\nservices:\n- {name: a, image_name: i, mrenclaves: [${mre}], command: x}\nsecrets:\n- {name: ca, kind: x509-ca, common_name: CA}\n- {name: web, kind: x509, issuer: ca, dns: [a, b]}\nimages:\n- name: i\n  injection_files:\n  - path: /a\n    content: $$SCONE::web.crt$$\n  - path: /b\n    content: "$$SCONE::web.key$$"\n  - path: /c\n    content: $$SCONE::ca.chain$$\n`,
  'the certificate authority of a session, as 0.1 had it': `name: s\nsecrets: [{name: c, kind: session-ca}]\n`,
  'days in one word': `${head}secrets:\n- {name: k, kind: private-key, key_type: P-384, migrate: true}\n- {name: c, kind: x509-ca, private_key: k, valid_for: 3560d}\n`,
  'an import that says its kind': `${head}secrets:\n- name: k\n  kind: ascii\n  import:\n    session: /other-session\n    secret: K\n`,
  'a value that YAML takes for a number, and an empty one': `${head}secrets:\n- {name: a, kind: ascii, value: 3, export_public: true}\n- {name: b, kind: ascii, value: ""}\n- {name: c, kind: binary, value: "0123"}\n`,
  'exports to several, relative and absolute': `${head}secrets:\n- name: a\n  kind: ascii\n  export:\n  - session: a/b\n  - session: ../c\n  - session: ./d\nvolumes:\n- {name: v, export: {session: a/b}}\n- {name: w, import: {session: a/c, volume: w}}\n`,
  'a file without permission, and in quotes': `${head}images:\n- name: i\n  injection_files:\n  - {path: /a, content: a}\n  - {path: /b, content: b, permission: "0o644"}\n  - /c\n`,
  'a path with a slash at its end': `${head}images: [{name: i, volumes: [{name: v, path: /data/}]}]\nvolumes: [{name: v}]\n`,
  'a protection file alone': service('  command: x\n  fspf_path: fspf.pb\n'),
  'who may do what, without a list': `${head}access_policy: {read: ANY, update: NONE}\n`,
  'lines that end as on Windows': plain.replaceAll('\n', '\r\n'),
  'a byte order mark, and the marks of a document': `\ufeff---\n${head}...\n`,
};

for (const [form, text] of Object.entries(accepted)) {
  void test(`accepted: ${form}`, () => {
    const { session, problems } = parseSession(text);
    assert.ok(session, JSON.stringify(problems));
    for (const { name } of session.services) assert.ok(explainService(session, name).trust.length > 0);
  });
}

const refused: Readonly<Record<string, readonly [text: string, reason: RegExp, suggestion?: RegExp]>> = {
  'a service that nothing is asked of, in mode hardware': [
    `${head}services: [{name: a, command: x}]\n`,
    /attestation, mrenclaves, or tdx or snp in ensconce expected for service `a` \(mode hardware\), none found/,
  ],
  'measurements without a value': [
    `${head}services: [{name: a, command: x, mrenclaves: }]\n`,
    /a measurement \(64 hexadecimal digits\) expected, nothing found/,
  ],
  'a signer without its key': [
    `${head}services: [{name: a, command: x, attestation: [{mrsigner: ${mre}}]}]\n`,
    /no key "mrsigner"/,
    /signer/,
  ],
  'an octal number of YAML 1.1': [
    `${head}images: [{name: i, injection_files: [{path: /a, content: a, permission: 0644}]}]\n`,
    /permission bits \(0o000 to 0o7777\) expected/,
    /0o644/,
  ],
  'variables as a list': [
    service('  command: x\n  environment:\n  - A=b\n'),
    /a map of variables expected, a list found/,
  ],
  'a volume that is not defined': [
    `${head}images: [{name: i, volumes: [{name: v, path: /v}]}]\n`,
    /a volume of this session expected, `v` found/,
  ],
  'EPID, which is gone': [
    `${plain}security: {attestation: {mode: epid}}\n`,
    /one of hardware, none, maa expected/,
  ],
  'keys merged from elsewhere, which YAML 1.2 has not': [
    `${head}services:\n- &a {name: a, command: x, mrenclaves: [${mre}]}\n- <<: *a\n  name: b\n`,
    /no key "<<"/,
  ],
};

for (const [form, [text, reason, suggestion]] of Object.entries(refused)) {
  void test(`refused with the reason: ${form}`, () => {
    const { session, problems } = parseSession(text);
    assert.equal(session, undefined);
    const found = problems.find(({ severity, message }) => severity === 'error' && reason.test(message));
    assert.ok(found, JSON.stringify(problems));
    if (suggestion) assert.match(found.suggestion ?? '', suggestion);
  });
}
