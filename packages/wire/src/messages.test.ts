import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { describeIssue } from '@ensconce/base/issue';
import { attest, attestAnswer, challenge, serviceEvent } from './attestation.ts';
import { configuration } from './configuration.ts';
import { volumeAnswer, volumeQuestion } from './volume-tags.ts';
import { lasAnswer, lasRequest } from './las.ts';

const hex = 'ab'.repeat(32);
const key = Buffer.alloc(32, 7).toString('base64');
const config = {
  session: 'demo',
  sessionHash: hex,
  service: 'app',
  command: ['python3'],
  environment: { A: 'b' },
  hostEnvironment: ['TZ'],
  pwd: '/',
  user: '',
  capabilities: ['CAP_CHOWN'],
  layers: [{ root: hex, key }],
  injectionFiles: [{ path: '/etc/x', content: 'eA==', mode: 0o600 }],
  hostFiles: ['/etc/hosts'],
};
const attestFrame = {
  type: 'attest',
  version: 1,
  configId: 'a/b',
  format: 'sgx',
  evidence: 'eA==',
  description: 'eA==',
};
const refused = { type: 'refused', msg: ['a', 'b'], code: 'X', retry: false };

/** Each message in its full form, with changes that must make it another, refused one. */
const messages: readonly (readonly [string, v.GenericSchema, object, readonly object[]])[] = [
  [
    'challenge',
    challenge,
    { type: 'challenge', version: 1, nonce: hex },
    [{ version: 2 }, { nonce: hex.toUpperCase() }, { nonce: `${hex}00` }],
  ],
  [
    'attest',
    attest,
    { ...attestFrame, serviceAccessToken: 't', again: true },
    [
      { configId: 'x'.repeat(2049) },
      { configId: 'a/\ud800' },
      { serviceAccessToken: 'x'.repeat(4097) },
      { format: 'nothing' },
      { again: false },
      { evidence: '*' },
      { evidence: undefined },
      { description: 7 },
    ],
  ],
  [
    'configured',
    attestAnswer,
    { type: 'configured', simulated: true, configuration: config, insecureWithoutEvidence: true },
    [
      { simulated: 'no' },
      { simulated: undefined },
      { insecureWithoutEvidence: false },
      { configuration: { ...config, debug: true } },
    ],
  ],
  [
    'refused',
    attestAnswer,
    { ...refused, hint: 'h' },
    [{ msg: 'a' }, { retry: undefined }, { type: 'other' }],
  ],
  [
    'exited',
    serviceEvent,
    { type: 'exited', status: 255 },
    [{ status: 256 }, { status: -1 }, { status: 0.5 }],
  ],
  [
    'configuration',
    configuration,
    config,
    [
      { command: [] },
      { pwd: 'relative' },
      { layers: [] },
      { layers: [{ root: hex, key: 'eA==' }] },
      { layers: [{ root: hex, key, plain: true }] },
      { capabilities: ['ALL'] },
      { hostFiles: ['etc/hosts'] },
      { injectionFiles: [{ path: '/x', content: 'eA==', mode: -1 }] },
      { injectionFiles: [{ path: '/x', content: 'eA==', mode: 0o10000 }] },
      { environment: { A: 1 } },
    ],
  ],
  [
    'configuration with volumes',
    configuration,
    { ...config, volumes: [{ name: 'db', path: '/var/lib/db', key, policy: 'ephemeral' }] },
    [
      { volumes: [{ name: 'db', path: 'db', key, policy: 'ephemeral' }] },
      { volumes: [{ name: 'db', path: '/db', key: 'eA==', policy: 'ephemeral' }] },
      { volumes: [{ name: 'db', path: '/db', key, policy: 'none' }] },
      { volumes: [{ name: 'db', path: '/db', key, policy: 'ephemeral', tag: hex }] },
    ],
  ],
  [
    'volume-acquire',
    volumeQuestion,
    { type: 'volume-acquire', id: 0, volume: 'db', expected: { tag: null, epoch: 0 }, tag: hex },
    [
      { tag: null },
      { expected: { tag: 'ab', epoch: 0 } },
      { expected: { tag: null, epoch: -1 } },
      { id: 0.5 },
    ],
  ],
  [
    'volume-advance',
    volumeQuestion,
    { type: 'volume-advance', id: 1, volume: 'db', epoch: 2, from: hex, to: hex },
    [{ from: undefined }, { to: 'AB'.repeat(32) }, { epoch: 2 ** 53 }, { volume: 'x'.repeat(1025) }],
  ],
  [
    'volume-close',
    volumeQuestion,
    { type: 'volume-close', id: 1, volume: 'db', epoch: 2, tag: hex },
    [{ tag: '' }],
  ],
  ['volume-state', volumeAnswer, { type: 'volume-state', id: 1, tag: null, epoch: 0 }, [{ tag: undefined }]],
  [
    'volume-advanced',
    volumeAnswer,
    { type: 'volume-advanced', id: 1, result: 'accepted' },
    [{ result: 'yes' }],
  ],
  [
    'LAS request',
    lasRequest,
    { version: 1, type: 'evidence', reportData: hex.repeat(2) },
    [{ reportData: hex }, { pid: 1 }, { version: 2 }],
  ],
  [
    'LAS evidence',
    lasAnswer,
    { type: 'evidence', format: 'sgx', evidence: 'eA==', description: 'eA==' },
    [{ format: 'nitro' }, { evidence: 'x'.repeat(180_004) }],
  ],
  ['LAS refusal', lasAnswer, { type: 'refused', msg: [], code: 'X', hint: 'h' }, [{ code: 1 }]],
];

for (const [name, schema, message, changes] of messages) {
  void test(`${name}: the documented form is read, an unknown member or another form is refused`, () => {
    assert.deepEqual(v.parse(schema, message), message);
    for (const change of [{ unknown: 1 }, ...changes]) {
      // What was undefined is absent on the wire.
      const changed: unknown = JSON.parse(JSON.stringify({ ...message, ...change }));
      assert.equal(v.safeParse(schema, changed).success, false, JSON.stringify(change).slice(0, 100));
    }
    for (const other of [null, [], 'text', 7, {}]) assert.equal(v.safeParse(schema, other).success, false);
  });
}

void test('what a refusal of a message says names the place and never the value', () => {
  const secret = 'c2VjcmV0';
  for (const [change, expected] of [
    [{ layers: [{ root: hex, key: secret }] }, 'configuration.layers.0.key: 32 bytes of base64 expected'],
    [{ environment: { TOKEN: [secret] } }, 'configuration.environment.TOKEN: string expected'],
    [
      { injectionFiles: [{ path: '/x', content: `*${secret}`, mode: 0 }] },
      'configuration.injectionFiles.0.content: base64 expected',
    ],
    [{ user: undefined }, 'configuration.user: a value expected, none found'],
    [{ extra: secret }, 'configuration.extra: no such member expected'],
  ] as const) {
    const answer: unknown = JSON.parse(
      JSON.stringify({ type: 'configured', simulated: true, configuration: { ...config, ...change } }),
    );
    const parsed = v.safeParse(attestAnswer, answer);
    assert.ok(!parsed.success);
    assert.equal(describeIssue(parsed.issues[0]), expected);
  }
});
