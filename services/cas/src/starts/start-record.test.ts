import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { termsOf } from '@ensconce/policy/start-terms';
import { createSecrets } from '@ensconce/secrets/state';
import type { StoredSession } from '../sessions/session-record.ts';
import { readStartRecord, startRecords } from './start-record.ts';

const layer = '1'.repeat(64);
const random = (size: number): Uint8Array => new Uint8Array(size);

interface Parts {
  readonly service?: string;
  readonly more?: string;
  readonly secrets?: string;
  readonly image?: string;
  readonly ensconce?: string;
}

function stored(parts: Parts = {}): StoredSession {
  const text = `name: team/s
version: "0.3.12"
ensconce: {accept_simulation: true, minimum_tcb_date: 2026-01-01${parts.ensconce ?? ''}}
services:
- name: app
  image_name: image
  command: /bin/app $$SCONE::x$$
  environment: {X: "$$SCONE::x:hex$$"}
  mrenclaves: ["${'aa'.repeat(32)}"]
  ${parts.service ?? ''}
images:
- name: image
  ${parts.image ?? ''}
  ensconce: {layers: [{root: "${layer}", key: "$$SCONE::layer:hex$$"}]}
secrets:
- {name: x, kind: ascii, value: "se\\"cret"}
- {name: layer, kind: binary, size: 32}
${parts.secrets ?? ''}
${parts.more ?? ''}
`;
  const session = parseSessionOrThrow(text);
  const creator = { kind: 'certificate', pem: '', keyHash: '' } as const;
  return {
    id: '0'.repeat(32),
    session,
    secrets: createSecrets(session, { random }),
    stored: { name: 'team/s', hash: 'f'.repeat(64), predecessor: null, creator, text, written: '' },
  };
}

const services = (session: StoredSession): string[] => [...startRecords(session, 1).keys()];

// Whatever changes here changes what starts are judged by or given. Then `format` in start-record.ts is one higher.
void test('the record has all that a start takes and nothing else', () => {
  const bytes = startRecords(stored(), 7).get('app');
  const lines = Buffer.from(bytes ?? [])
    .toString()
    .split('\n');
  const capabilities =
    '"CAP_AUDIT_WRITE","CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_MKNOD","CAP_NET_BIND_SERVICE","CAP_NET_RAW","CAP_SETFCAP","CAP_SETGID","CAP_SETPCAP","CAP_SETUID","CAP_SYS_CHROOT"';
  assert.deepEqual(lines, [
    `{"format":1,"of":7,"id":"${'0'.repeat(32)}","hash":"${'f'.repeat(64)}","until":null,"layers":["${layer}"],` +
      '"released":[{"secrets":["layer","x"],"session":"team/s","volumes":[]}],' +
      '"terms":{"name":"team/s","acceptSimulation":true,"minimumTcbDate":"2026-01-01T00:00:00Z",' +
      '"security":{"singletonEnclaves":false,"attestation":{"mode":"hardware","tolerate":[],"ignoreAdvisories":[],"mustBeSgxLocal":false}},' +
      `"services":[{"name":"app","imageName":"image","attestation":[{"mrenclave":["${'aa'.repeat(32)}"]}]}],"images":[{"name":"image"}]}}`,
    `{"session":"team/s","sessionHash":"${'f'.repeat(64)}","service":"app","command":["/bin/app","se\\"cret"],` +
      `"environment":{"X":"73652263726574"},"hostEnvironment":[],"pwd":"/","user":"","capabilities":[${capabilities}],` +
      `"layers":[{"root":"${layer}","key":"${Buffer.alloc(32).toString('base64')}"}],"injectionFiles":[],"hostFiles":[]}`,
  ]);
  const {
    services: [service],
    images: [image],
    ...session
  } = termsOf(stored().session, 'app');
  assert.deepEqual(
    [session, service, image].map((terms) => Object.keys(terms ?? {}).join(' ')),
    [
      'name acceptSimulation minimumTcbDate advisoryGraceDays minimumEvaluationNumber ignoreAdvisoriesOf security',
      'name imageName attestation platforms chips tdx snp oneTimePasswordSharedSecret',
      'name mrenclaves',
    ],
  );
  const read = readStartRecord(bytes ?? new Uint8Array(), 0);
  assert.deepEqual(
    [read?.of, read?.hash, read?.until, read?.terms.name],
    [7, 'f'.repeat(64), null, 'team/s'],
  );
  assert.equal(Buffer.from(read?.configuration.json ?? []).toString(), lines[1]);
});

void test('what needs more than the session, or something of whoever starts it, has none', () => {
  assert.deepEqual(services(stored()), ['app']);
  assert.deepEqual(services({ ...stored(), stored: { ...stored().stored, deleted: '2026' } }), [], 'deleted');
  const cases: [string, Parts][] = [
    ['an access token', { more: 'security: {service_access_token: token}' }],
    ['one-time passwords', { service: `one_time_password_shared_secret: ${'A'.repeat(32)}` }],
    [
      'one-time passwords of all services',
      { more: `security: {attestation: {one_time_password_shared_secret: ${'A'.repeat(32)}}}` },
    ],
    [
      'a token for the service',
      {
        secrets:
          '- {name: k, kind: private-key}\n- {name: t, kind: jwt, signer: k, alg: ES256, payload: {a: b}}',
      },
    ],
    ['an import', { secrets: '- {name: i, import: {session: other}}' }],
    ['a key that is no constant', { secrets: '- {name: p, kind: pgp-key}' }],
    ['a volume', { image: 'volumes: [{name: v, path: /v}]', more: 'volumes: [{name: v}]' }],
    ['a reference in the policy', { more: 'access_policy: {read: [$$SCONE::x$$]}' }],
    [
      'a secret that is not made yet',
      {
        secrets: '- {name: k, kind: private-key}',
        image: 'injection_files: [{path: /f, content: $$SCONE::k$$}]',
      },
    ],
    ['file systems of another form', { service: 'fspf_path: /f' }],
  ];
  for (const [what, parts] of cases) {
    let session: StoredSession;
    try {
      session = stored(parts);
    } catch (cause) {
      throw new Error(what, { cause });
    }
    assert.deepEqual(services(session), [], what);
  }
  const base = stored();
  const session = (parts: Partial<StoredSession['session']>): StoredSession => ({
    ...base,
    session: { ...base.session, ...parts },
  });
  assert.deepEqual(services(session({ images: [] })), [], 'no image');
  const [service] = base.session.services;
  assert.ok(service);
  for (const environment of [{ X: '$$SCONE::layer$$' }, { X: '$$SCONE::absent$$' }])
    assert.deepEqual(
      services(session({ services: [{ ...service, environment }] })),
      [],
      'what cannot be made',
    );
});

void test('a session of many services, or of large ones, has a bounded number of bytes of them', () => {
  const base = stored();
  const [service] = base.session.services;
  assert.ok(service);
  const many = Array.from({ length: 300 }, (_, i) => ({ ...service, name: `app${i}` }));
  assert.equal(services({ ...base, session: { ...base.session, services: many } }).length, 16);
  const large = { ...service, environment: { X: 'x'.repeat(40_000) } };
  assert.deepEqual(
    services({ ...base, session: { ...base.session, services: [large, ...many] } })[0],
    'app0',
  );
});

void test('what is empty or of another format is no record', () => {
  const bytes = startRecords(stored(), 1).get('app') ?? new Uint8Array();
  assert.ok(readStartRecord(bytes, 0));
  assert.equal(readStartRecord(new Uint8Array(), 0), undefined);
  assert.equal(readStartRecord(Buffer.from('{}\n{}'), 0), undefined);
});
