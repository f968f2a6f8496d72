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
