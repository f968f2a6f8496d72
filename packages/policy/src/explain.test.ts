import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainService } from './explain.ts';
import { parseSessionOrThrow } from './parse.ts';

void test('what a service gets, from where, without any value', () => {
  const mre = 'ab'.repeat(32);
  const session = parseSessionOrThrow(`name: ns/s
version: "0.3"
services:
- name: app
  image_name: i
  command: run --token $$SCONE::token$$ @@1
  environment: {A: hunter2, B: "$$SCONE::db$$", '\\@\\@TERM': ''}
  mrenclaves: [${mre}]
  ensconce: {host_files: [/etc/hosts], user: "1000"}
images:
- {name: i, volumes: [], injection_files: [{path: /key, content: "$$SCONE::db:base64$$"}]}
secrets:
- {name: token, kind: ascii, size: 40}
- {name: db, import: {session: other, secret: password}}
- {name: unused, kind: ascii}
`);
  const explanation = explainService(session, 'app');
  assert.deepEqual(explanation, {
    configId: 'ns/s/app',
    trust: [`code with measurement ${mre}`, 'on real hardware'],
    start: [],
    command: ['run', '--token', '$$SCONE::token$$', '@@1'],
    pwd: '/',
    user: '1000',
    environment: [
      { name: 'A', from: 'the policy' },
      { name: 'B', from: 'the policy with secret db' },
      { name: 'TERM', from: 'the host' },
    ],
    files: [
      { path: '/key', from: 'the policy with secret db' },
      { path: '/etc/hosts', from: 'the host, unprotected' },
    ],
    secrets: [
      { name: 'token', from: '40 random characters that CAS makes', uses: ['argument 2'] },
      { name: 'db', from: 'secret password of session other', uses: ['variable B', 'file /key as :base64'] },
    ],
    hostChooses: ['argument 3 (@@1)', 'variable TERM', 'file /etc/hosts'],
    changedBy: 'the creator',
  });
});

void test('who may be a service, and what starting it takes', () => {
  const [mre, id] = ['ab'.repeat(32), '0c'.repeat(16)];
  const { trust, start } = explainService(
    parseSessionOrThrow(`name: s
version: "0.3.12"
services:
- name: app
  command: run
  mrenclaves: [${mre}]
  platforms: ["INTEL_QE_ID:${id}"]
  one_time_password_shared_secret: ABCDEFGHABCDEFGHABCDEFGH22
  ensconce: {platforms: [${id}]}
security:
  singleton_enclaves: true
  service_access_token: hunter2
  attestation: {tolerate: [outdated-tcb], ignore_advisories: [INTEL-SA-00001], must_be_sgx_local: true}
ensconce: {minimum_tcb_date: 2025-01-31, advisory_grace_days: 3, minimum_evaluation_number: 17, ignore_advisories: {tdx: "*"}}
`),
    'app',
  );
  assert.deepEqual(trust, [
    `code with measurement ${mre}`,
    'on real hardware',
    'only as an enclave on the machine of CAS itself',
    `only with the quoting enclaves INTEL_QE_ID:${id}`,
    `only on the machines ${id}`,
    'with a TCB level of 2025-01-31 or later',
    'lacking updates for at most 3 days',
    'judged by Intel’s evaluation 17 or a later one',
    'tolerating outdated-tcb',
    'ignoring INTEL-SA-00001',
    'ignoring on tdx: whatever applies',
  ]);
  assert.deepEqual(start, [
    'with a one-time password behind the config id (session/service@123456)',
    'with the service access token',
    'one instance at a time: a newer start ends the one before',
  ]);
  assert.doesNotMatch(JSON.stringify([trust, start]), /hunter2|ABCDEFGH/);
});

void test('a section that a fragment stands for is said to be one', () => {
  const { trust } = explainService(
    parseSessionOrThrow(
      `name: s\nversion: "0.3.12"\nservices: [{name: app, command: run, attestation: $$SCONE::f$$}]\nsecurity: $$SCONE::f$$\nsecrets: [{name: f, import: {session: t, secret: f}}]\n`,
    ),
    'app',
  );
  assert.deepEqual(trust.slice(0, 2), [
    'whatever $$SCONE::f$$ says besides; nobody while that cannot be resolved',
    'code with what $$SCONE::f$$ says',
  ]);
});
