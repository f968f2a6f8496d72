import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { jwtVerify } from 'jose';
import * as openpgp from 'openpgp';
import { fromUtf8 } from '@ensconce/base/bytes';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { Session } from '@ensconce/policy/session';
import { references, substituteSecrets } from '@ensconce/policy/substitution';
import { deliveryLookup } from './delivery.ts';
import { SecretsError } from './errors.ts';
import { publicValue } from './export.ts';
import { generateSecrets, renewSecrets } from './generate.ts';
import { renderSecret } from './render.ts';
import { parseSecretState, type SecretState } from './state.ts';

const random = (size: number) => new Uint8Array(randomBytes(size));
const now = new Date('2026-03-01T12:00:00Z');
const options = { random, now };
function sessionWith(...secrets: readonly string[]): Session {
  return parseSessionOrThrow(
    `name: s\nversion: "0.3.12"\nsecrets:\n${secrets.map((line) => `- ${line}\n`).join('')}`,
  );
}
function text(state: SecretState, name: string, format = ''): string {
  return fromUtf8(renderSecret(state, name, format));
}
function certificate(state: SecretState, name: string): X509Certificate {
  return new X509Certificate(renderSecret(state, name, 'crt:der'));
}

void test('private keys of every type, in every format, with their public halves', async () => {
  for (const [type, details] of [
    ['P-256', 'prime256v1'],
    ['P-384', 'secp384r1'],
    ['Ed25519', undefined],
    ['RSA-2048', undefined],
  ]) {
    const session = sessionWith(
      `{name: k, kind: private-key, key_type: ${type}}`,
      '{name: p, kind: public-key, private_key: k}',
    );
    const state = await generateSecrets(session, options);
    const key = createPrivateKey(text(state, 'k'));
    assert.equal(key.asymmetricKeyDetails?.namedCurve, details);
    assert.equal(text(state, 'k', 'pkcs8:pem'), text(state, 'k'));
    const der = Buffer.from(renderSecret(state, 'k', 'der'));
    assert.ok(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).equals(key));
    assert.ok(createPublicKey(text(state, 'p', 'spki:pem')).equals(createPublicKey(key)));
    assert.deepEqual(parseSecretState(JSON.parse(JSON.stringify(state))), state);
  }
});

const pki = [
  '{name: root_key, kind: private-key, key_type: P-384}',
  '{name: middle_key, kind: private-key, key_type: Ed25519}',
  '{name: key, kind: private-key}',
  '{name: leaf, kind: x509, private_key: key, issuer: middle, common_name: "a, b+c", san: ["dns:web.example", "ip:10.0.0.1"], endpoint: server, valid_for: 90 days}',
  '{name: middle, kind: x509-ca, private_key: middle_key, issuer: root, valid_for: 1y}',
  '{name: root, kind: x509-ca, private_key: root_key, export_public: true}',
];

void test('certificates chain to their authority and say what the session says', async () => {
  const state = await generateSecrets(sessionWith(...pki), options);
  const [leaf, middle, root] = ['leaf', 'middle', 'root'].map((name) => certificate(state, name)) as [
    X509Certificate,
    X509Certificate,
    X509Certificate,
  ];
  assert.ok(leaf.verify(middle.publicKey) && leaf.checkIssued(middle));
  assert.ok(middle.verify(root.publicKey) && middle.checkIssued(root));
  assert.ok(root.verify(root.publicKey) && root.ca && middle.ca && !leaf.ca);
  assert.equal(leaf.subject, 'CN=a\\, b\\+c');
  assert.equal(leaf.subjectAltName, 'DNS:web.example, IP Address:10.0.0.1');
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.equal(leaf.validToDate.toISOString(), '2026-05-30T12:00:00.000Z');
  assert.ok(leaf.checkPrivateKey(createPrivateKey(text(state, 'leaf', 'privatekey'))));
  const blocks = (pem: string) => pem.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/g) ?? [];
  assert.deepEqual(blocks(text(state, 'leaf', 'chain')), [text(state, 'middle'), text(state, 'root')]);
  assert.deepEqual(blocks(text(state, 'leaf', '.chain')), [
    text(state, 'root'),
    text(state, 'middle'),
    text(state, 'leaf'),
  ]);
  assert.equal(text(state, 'root', 'chain'), '');
});

void test('a certificate does not outlive its issuer, and a leaf without names gets its own', async () => {
  const state = await generateSecrets(
    sessionWith(
      '{name: k, kind: private-key}',
      '{name: ca, kind: x509-ca, private_key: k, valid_for: 1d}',
      '{name: web, kind: x509, private_key: k, issuer: ca}',
    ),
    options,
  );
  assert.equal(certificate(state, 'web').validToDate.toISOString(), '2026-03-02T12:00:00.000Z');
  assert.equal(certificate(state, 'web').subjectAltName, 'DNS:web');
  const [ca, web] = [
    '{name: ca, import: {session: t}}',
    '{name: web, kind: x509, private_key: k, issuer: ca}',
  ];
  const importer = sessionWith('{name: k, kind: private-key}', ca, web);
  const imported = { ca: state.secrets['ca'] ?? assert.fail() };
  const late = { random, now: new Date('2026-03-02T12:00:00Z'), imported };
  await assert.rejects(() => generateSecrets(importer, late), SecretsError);
});

void test('certificates are renewed before they end, with what hangs below them; keys stay', async () => {
  const session = sessionWith(...pki);
  const state = await generateSecrets(session, options);
  assert.equal(await renewSecrets(session, state, { random, now: new Date('2026-04-30T11:59:59Z') }), state);
  const soon = await renewSecrets(session, state, { random, now: new Date('2026-05-01T00:00:00Z') });
  assert.notEqual(text(soon, 'leaf'), text(state, 'leaf'));
  assert.equal(text(soon, 'middle'), text(state, 'middle'));
  const later = await renewSecrets(session, state, { random, now: new Date('2026-11-15T00:00:00Z') });
  assert.notEqual(text(later, 'middle'), text(state, 'middle'));
  assert.ok(certificate(later, 'leaf').checkIssued(certificate(later, 'middle')));
  assert.deepEqual(later.secrets['key'], state.secrets['key']);
});

void test('given keys and certificates are kept as they are, and must fit each other', async () => {
  const made = await generateSecrets(sessionWith(...pki), options);
  const key = JSON.stringify(text(made, 'key'));
  const chain = JSON.stringify(text(made, 'leaf') + text(made, 'leaf', 'chain'));
  const session = sessionWith(
    `{name: k, kind: private-key, value: ${key}}`,
    `{name: c, kind: x509, private_key: k, value: ${chain}}`,
  );
  const state = await generateSecrets(session, options);
  assert.equal(text(state, 'c'), text(made, 'leaf'));
  assert.equal(text(state, 'c', 'chain'), text(made, 'leaf', 'chain'));
  assert.equal(await renewSecrets(session, state, { random, now: new Date('2126-01-01T00:00:00Z') }), state);
  const given = (name: string) => JSON.stringify(text(made, name));
  const apart = await generateSecrets(
    sessionWith(
      `{name: c, kind: x509, issuer: m, value: ${given('leaf')}}`,
      `{name: m, kind: x509-ca, value: ${JSON.stringify(text(made, 'middle') + text(made, 'root'))}}`,
    ),
    options,
  );
  assert.equal(text(apart, 'c', 'chain'), text(made, 'leaf', 'chain'));
  await assert.rejects(
    () =>
      generateSecrets(
        sessionWith(
          `{name: c, kind: x509, issuer: m, value: ${given('leaf')}}`,
          `{name: m, kind: x509-ca, value: ${given('root')}}`,
        ),
        options,
      ),
    SecretsError,
  );
  const other = sessionWith(
    '{name: k, kind: private-key}',
    `{name: c, kind: x509, private_key: k, value: ${chain}}`,
  );
  await assert.rejects(
    () => generateSecrets(other, options),
    (error) => error instanceof SecretsError && error.code === 'SECRETS_VALUE',
  );
  for (const kind of ['private-key', 'public-key', 'x509', 'pgp-key']) {
    const bad = sessionWith('{name: k, kind: private-key}', `{name: x, kind: ${kind}, value: hunter2}`);
    await assert.rejects(
      () => generateSecrets(bad, options),
      (error) => error instanceof SecretsError && !error.message.includes('hunter2'),
      kind,
    );
  }
});

void test('across an update: pgp keys stay, private keys only if both versions say so, certificates never', async () => {
  const secrets = (migrate: boolean) =>
    sessionWith(
      `{name: k, kind: private-key, migrate: ${migrate}}`,
      '{name: c, kind: x509-ca, private_key: k}',
      '{name: p, kind: pgp-key}',
    );
  for (const [before, after] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    const state = await generateSecrets(secrets(before), options);
    const next = await generateSecrets(secrets(after), {
      ...options,
      previous: { session: secrets(before), state },
    });
    assert.equal(text(next, 'k') === text(state, 'k'), before && after);
    assert.notEqual(text(next, 'c'), text(state, 'c'));
    assert.deepEqual(next.secrets['p'], state.secrets['p']);
  }
});

void test('OpenPGP keys sign and encrypt', async () => {
  const state = await generateSecrets(sessionWith('{name: p, kind: pgp-key}'), options);
  const privateKey = await openpgp.readPrivateKey({
    armoredKey: text(state, 'p', 'privatekey:asciiarmored'),
  });
  const publicKey = await openpgp.readKey({ binaryKey: renderSecret(state, 'p', 'publickey:binary') });
  assert.equal(
    Buffer.from(renderSecret(state, 'p', 'publickey:binary')).toString('base64'),
    text(state, 'p', 'publickey:base64'),
  );
  const message = await openpgp.encrypt({
    message: await openpgp.createMessage({ text: 'hello' }),
    encryptionKeys: publicKey,
    signingKeys: privateKey,
    date: now,
  });
  const read = await openpgp.decrypt({
    message: await openpgp.readMessage({ armoredMessage: message }),
    decryptionKeys: privateKey,
    verificationKeys: publicKey,
    date: now,
  });
  assert.equal(read.data, 'hello');
  assert.equal(await read.signatures[0]?.verified, true);
});

void test('tokens are signed at delivery, for the service that gets them', async () => {
  const session = sessionWith(
    '{name: k, kind: private-key, key_type: P-384}',
    '{name: tenant, kind: ascii, value: acme}',
    '{name: j, kind: jwt, signer: k, validity: {for: 1h}, payload: {sub: "$$SCONE::tenant$$", mrenclave: "$$SCONE::self::software_identity$$"}}',
  );
  const state = await generateSecrets(session, options);
  const lookup = await deliveryLookup(session, state, { now, self: { software_identity: 'abcd' } });
  const { payload, protectedHeader } = await jwtVerify(
    substituteSecrets('$$SCONE::j$$', lookup),
    createPublicKey(text(state, 'k')),
    { currentDate: now },
  );
  assert.equal(protectedHeader.alg, 'ES384');
  const issued = now.getTime() / 1000;
  assert.deepEqual(payload, { sub: 'acme', mrenclave: 'abcd', iat: issued, nbf: issued, exp: issued + 3600 });
});

void test('PKCS #12 with the empty password opens with OpenSSL', async (t) => {
  if (spawnSync('openssl', ['version']).status !== 0) return t.skip('no openssl on this machine');
  const session = parseSessionOrThrow(
    `name: s\nversion: "0.3.12"\nimages: [{name: i, injection_files: [{path: /a, content: "$$SCONE::leaf:pkcs12-with-private-key$$"}]}]\nsecrets:\n${pki.map((line) => `- ${line}\n`).join('')}`,
  );
  const state = await generateSecrets(session, options);
  const lookup = await deliveryLookup(session, state, { now, self: {} });
  const [reference] = references('$$SCONE::leaf:pkcs12-with-private-key$$');
  const file = lookup(reference ?? assert.fail()) ?? assert.fail();
  const { stdout, stderr, status } = spawnSync('openssl', ['pkcs12', '-passin', 'pass:', '-nodes'], {
    input: file,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes(text(state, 'leaf', 'privatekey')));
  for (const name of ['leaf', 'middle', 'root']) assert.ok(stdout.includes(text(state, name)), name);
});

void test('only what is public is shown to everybody', async () => {
  const session = sessionWith(
    ...pki,
    '{name: a, kind: ascii, value: x, export_public: true}',
    '{name: b, kind: ascii, value: x}',
  );
  const state = await generateSecrets(session, options);
  const root = publicValue(session, state, 'root');
  assert.equal(root?.value, text(state, 'root'));
  assert.ok(root.expires !== null && root.renew !== null && root.renew < root.expires);
  assert.deepEqual(publicValue(session, state, 'a'), {
    kind: 'string',
    value: 'x',
    expires: null,
    renew: null,
  });
  for (const name of ['b', 'key', 'leaf', 'nothing', 'constructor'])
    assert.equal(publicValue(session, state, name), undefined);
});
