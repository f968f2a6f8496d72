import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { postSession, readValue, readValues } from '@ensconce/api/client';
import type { CasOptions } from '../cas.ts';
import { casUnderTest, clientKeys, type CasUnderTest } from '../../test/cas-under-test.ts';
import { attestOnce, imageFor, measure } from '../../test/service-under-test.ts';
import { place, refused } from '../../test/place.ts';
import { sessionOfSecrets } from '../../test/session-of-secrets.ts';

const day = 86_400_000;

interface Secrets extends CasUnderTest {
  /** Creates a session with these secrets and with an environment. */
  readonly create: (name: string, environment: Record<string, string>, secrets: string) => Promise<void>;
  /** The environment that the service of a session gets. */
  readonly environmentOf: (name: string) => Promise<Record<string, string>>;
}

async function start(t: TestContext, options: Partial<CasOptions> = {}): Promise<Secrets> {
  const started = await casUnderTest(t, options);
  const { cas, vendor } = started;
  const image = imageFor(cas);
  const client = await started.connect(await clientKeys());
  return {
    ...started,
    create: async (name, environment, secrets) => {
      await postSession(
        client,
        `name: ${name}
version: "0.3.12"
ensconce: {accept_simulation: true}
services:
  - name: app
    image_name: image
    command: /bin/app
    environment: ${JSON.stringify(environment)}
    attestation: [{mrenclave: ["${measure(image)}"]}]
images:
  - name: image
    ensconce: {layers: [{root: "${image.layers[0]}", key: "$$SCONE::layer:hex$$"}]}
secrets:
  - {name: layer, kind: binary, size: 32}
${secrets}`,
      );
    },
    environmentOf: async (name) => {
      const { answer, connection } = await attestOnce({ cas, vendor, image, configId: `${name}/app` });
      connection.socket.destroy();
      assert.equal(answer.type, 'configured', JSON.stringify(answer));
      return answer.type === 'configured' ? answer.configuration.environment : {};
    },
  };
}

const authority = `  - {name: key, kind: private-key}
  - {name: ca_key, kind: private-key}
  - {name: ca, kind: x509-ca, private_key: ca_key, common_name: ca, export_public: true, valid_for: "30 days"}
  - {name: cert, kind: x509, private_key: key, issuer: ca, common_name: app, endpoint: server, valid_for: "3 days", export_public: true}
`;

void test('keys and certificates that CAS makes fit together, and the public ones are readable', async (t) => {
  const { create, environmentOf, connect } = await start(t);
  await create('tls', { KEY: '$$SCONE::key$$', CERT: '$$SCONE::cert$$', CA: '$$SCONE::ca$$' }, authority);
  const { KEY = '', CERT = '', CA = '' } = await environmentOf('tls');
  const certificate = new X509Certificate(CERT);
  assert.equal(certificate.checkPrivateKey(createPrivateKey(KEY)), true);
  assert.equal(certificate.verify(new X509Certificate(CA).publicKey), true);
  const anonymous = await connect();
  assert.equal((await readValue(anonymous, 'tls', 'ca')).value.trim(), CA.trim());
  assert.deepEqual(Object.keys((await readValues(anonymous, 'tls')).values).sort(), ['ca', 'cert']);
});

void test('a certificate is made anew before it expires, by the same authority', async (t) => {
  let now = Date.now();
  const { create, environmentOf, folder } = await start(t, { now: () => new Date(now) });
  await create('tls', { CERT: '$$SCONE::cert$$', CA: '$$SCONE::ca$$' }, authority);
  const first = await environmentOf('tls');
  assert.deepEqual(await environmentOf('tls'), first);
  now += 2.9 * day;
  const later = await Promise.all([environmentOf('tls'), environmentOf('tls')]);
  assert.deepEqual(later[0], later[1], 'made once');
  assert.notEqual(later[0].CERT, first['CERT']);
  assert.equal(later[0].CA, first['CA']);
  assert.ok(new X509Certificate(later[0].CERT ?? '').validToDate.getTime() > now + day);
  const log = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  assert.equal(log.match(/"Certificates renewed"/g)?.length, 1);
});

void test('a secret goes to the session that it is exported to, and to no other', async (t) => {
  const { create, cas, vendor, environmentOf } = await start(t);
  await create(
    'giver',
    { OWN: '$$SCONE::token$$' },
    '  - {name: token, kind: ascii, size: 24, export: {session: taker}}\n',
  );
  const importing = '  - {name: token, import: {session: giver, secret: token}}\n';
  await create('taker', { TOKEN: '$$SCONE::token$$' }, importing);
  await create('thief', { TOKEN: '$$SCONE::token$$' }, importing);
  const { OWN } = await environmentOf('giver');
  assert.equal((await environmentOf('taker'))['TOKEN'], OWN);
  const { answer } = await attestOnce({ cas, vendor, image: imageFor(cas), configId: 'thief/app' });
  assert.equal(answer.type, 'refused');
  assert.equal(JSON.stringify(answer).includes(OWN ?? 'none'), false);
});

void test('templates of the image get what provide_secrets names, in every format, and nothing else', async (t) => {
  const under = await casUnderTest(t);
  const image = imageFor(under.cas);
  const client = await under.connect(await clientKeys());
  const values = async (name: string, provided: string): Promise<Record<string, string>> => {
    const text = sessionOfSecrets({
      name,
      mrenclave: measure(image),
      layer: image.layers[0] ?? '',
      secrets: `${authority}  - {name: text, kind: ascii, value: plain}
  - {name: other, kind: ascii, value: other}
  - {name: other.crt, kind: ascii, value: not a suffix}
  - {name: away, import: {session: gone}}
`,
    }).replace(
      '    ensconce: {layers',
      `    injection_files: [/etc/app.conf]\n${provided}    ensconce: {layers`,
    );
    await postSession(client, text);
    const { cas, vendor } = under;
    const { answer, connection } = await attestOnce({ cas, vendor, image, configId: `${name}/app` });
    connection.socket.destroy();
    if (answer.type === 'refused') return { refused: answer.msg.join(': ') };
    assert.deepEqual(answer.configuration.injectionFiles, [{ path: '/etc/app.conf', mode: 0o700 }]);
    return answer.configuration.templateValues ?? {};
  };
  const some = await values('some', '    provide_secrets: [text, cert, other]\n');
  const names = Object.keys(some);
  for (const name of ['text', 'text:hex', 'cert', 'cert:crt:der', 'cert.key', 'cert:pkcs12-with-private-key'])
    assert.ok(names.includes(name), name);
  assert.deepEqual(
    names.filter((name) => !/^(?:text|cert|other)(?:[.:]|$)/.test(name) || name === 'other.crt'),
    [],
  );
  assert.equal(
    Buffer.from(some['text:hex'] ?? '', 'base64').toString(),
    Buffer.from('plain').toString('hex'),
  );
  assert.deepEqual(await values('none', '    provide_secrets: []\n').then(Object.keys), []);
  assert.match((await values('all', ''))['refused'] ?? '', /secret away of session gone/);
});

void test('a secret is put in once, whatever it says, and stays one argument', async (t) => {
  const { create, environment, commandOf } = await place(t);
  await create(
    's',
    `  - {name: x, kind: ascii, value: "a 'b' $$SCONE::y$$ @@1 \\\\@\\\\@HOME"}
  - {name: y, kind: ascii, value: "never seen"}
`,
    { X: 'is $$SCONE::x$$', J: '{"v":"$$SCONE::x|escape(json)$$"}' },
    '',
    '/bin/app $$SCONE::x$$ "two words"',
  );
  const value = "a 'b' $$SCONE::y$$ @@1 \\@\\@HOME";
  const { X, J = '' } = await environment('s');
  assert.equal(X, `is ${value}`);
  assert.deepEqual(JSON.parse(J), { v: value });
  assert.deepEqual(await commandOf('s'), ['/bin/app', value, 'two words']);
});

for (const [what, command, value] of [
  ['reads @@N', '/bin/app $$SCONE::x$$', '@@1'],
  ['completes @@N', '/bin/app @@$$SCONE::x$$', '2'],
  ['is no text', '/bin/app $$SCONE::x$$', 'a\\0b'],
] as const) {
  void test(`a secret that ${what} as an argument stops the start and is not shown`, async (t) => {
    const { create, start } = await place(t);
    await create('s', `  - {name: x, kind: ascii, value: "${value}"}\n`, {}, '', command);
    const message = refused(await start('s'), 'CAS_SERVICE_UNSUPPORTED');
    assert.equal(message.includes('a\0b'), false);
  });
}

void test('file systems in SCONE’s own format stop the start with the reason, and nothing else of the session does', async (t) => {
  const { create, start } = await place(t);
  await create(
    's',
    '  - {name: x, kind: binary, size: 32}\n',
    {},
    '',
    '/bin/app',
    `fspf_path: /f\n    fspf_key: "$$SCONE::x:hex$$"\n    fspf_tag: ${'ab'.repeat(16)}\n    `,
  );
  assert.match(refused(await start('s'), 'CAS_SERVICE_UNSUPPORTED'), /fspf_path.*use volumes/);
});

void test('a whole chain is renewed in time, and so is what another session issues by it; the keys stay', async (t) => {
  let now = Date.now();
  const { create, environment, connect, audit } = await place(t, { now: () => new Date(now) });
  await create(
    'pki',
    `  - {name: k, kind: private-key, export: {namespace: /}}
  - {name: root, kind: x509-ca, private_key: k, valid_for: 300 days, export_public: true}
  - {name: k2, kind: private-key, export: [{session: web}]}
  - {name: ca, kind: x509-ca, private_key: k2, issuer: root, valid_for: 90 days, export: {session: web}}
`,
    {},
  );
  await create(
    'web',
    `  - {name: x, kind: x509, private_key: key, issuer: ca, san: ["dns:web.example"], valid_for: 9 days, export_public: true}
  - {name: key, kind: private-key}
  - {name: ca, import: {session: pki}}
  - {name: k2, import: {session: pki}}
`,
    { CERT: '$$SCONE::x$$', CHAIN: '$$SCONE::x:chain$$', KEY: '$$SCONE::key$$' },
  );
  const anonymous = await connect();
  const serials = new Map<string, Set<string>>();
  const keys = new Set<string>();
  for (let elapsed = 0; elapsed < 300; elapsed += 5) {
    const { CERT = '', CHAIN = '', KEY = '' } = await environment('web');
    keys.add(KEY);
    const blocks = CHAIN.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/g) ?? [];
    const chain = [CERT, ...blocks].map((pem) => new X509Certificate(pem));
    const root = new X509Certificate((await readValue(anonymous, 'pki', 'root')).value);
    assert.equal(chain.length, 3);
    assert.ok(chain[2]?.raw.equals(root.raw), 'the chain ends at the root that everybody may read');
    for (const [index, certificate] of chain.entries()) {
      const issuer = chain[index + 1] ?? certificate;
      assert.ok(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey), `day ${elapsed}`);
      assert.ok(certificate.validToDate.getTime() > now && certificate.validFromDate.getTime() < now);
      const seen = serials.get(certificate.subject) ?? new Set();
      serials.set(certificate.subject, seen.add(certificate.serialNumber));
    }
    const shown = await readValue(anonymous, 'web', 'x');
    assert.equal(shown.value, CERT);
    assert.ok(Date.parse(shown.renew ?? '') > now && (shown.renew ?? '') < (shown.expires ?? ''));
    now += 5 * day;
  }
  assert.equal(keys.size, 1);
  assert.ok((serials.get('CN=x')?.size ?? 0) > 20);
  assert.ok((serials.get('CN=ca')?.size ?? 0) > 3);
  assert.equal(serials.get('CN=root')?.size, 2);
  assert.match(audit(), /"session":"pki","type":"Certificates renewed"/);
});
