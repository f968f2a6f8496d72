import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { postSession, readExports, readSession, readValue } from '@ensconce/api/client';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { RefusedByCas } from '@ensconce/api/errors';
import { defaultLimits } from '../limits.ts';
import type { CasOptions } from '../cas.ts';
import { evidenceVerifier } from '../evidence/verifier.ts';
import { casMeasurement, casUnderTest, clientKeys } from '../../test/cas-under-test.ts';
import { place, refused } from '../../test/place.ts';
import { imageFor, measure } from '../../test/service-under-test.ts';
import { sessionOfSecrets } from '../../test/session-of-secrets.ts';

const day = 86_400_000;

void test('a secret goes to the session of the other CAS that its export names, and both audit it', async (t) => {
  const [giver, taker] = [await place(t), await place(t)];
  await giver.create('g', `  - {name: x, kind: ascii, size: 40, export: {session: t, ${taker.named}}}\n`);
  await taker.create('t', `  - {name: x, import: {session: g, ${giver.named}}}\n`);
  const { X } = await giver.environment('g');
  assert.deepEqual(await taker.environment('t'), { X });
  assert.match(
    giver.audit(),
    /"importer":"t","released":\[\{"secrets":\["x"\],"session":"g","volumes":\[\]\}\],"session":"g","type":"Secrets exported"/,
  );
});

void test('the short form of the reference names the other CAS too', async (t) => {
  const [giver, taker] = [await place(t), await place(t)];
  const [, url = '', key = ''] = /"(.*)", cas_key: (.*)/.exec(giver.named) ?? [];
  await giver.create('g', `  - {name: x, kind: ascii, value: short, export: {session: t, ${taker.named}}}\n`);
  await taker.create('t', `  - {name: x, import: {session: "${url}/cas_key=${key},session=g"}}\n`);
  assert.deepEqual(await taker.environment('t'), { X: 'short' });
});

void test('no other session, CAS or version gets it, and all hear the same', async (t) => {
  const [giver, taker, other] = [await place(t), await place(t), await place(t)];
  const value = 'kind: ascii, value: hunter2';
  const hash = 'ab'.repeat(32);
  await giver.create(
    'g',
    `  - {name: x, ${value}, export: [{session: t, ${taker.named}}]}
  - {name: here, ${value}, export: [{session: t}, {namespace: /}]}
  - {name: pinned, ${value}, export: [{session: t, session_hash: ${hash}, ${taker.named}}]}
`,
    { X: '$$SCONE::x$$' },
  );
  const imports = (from: string): string => `  - {name: x, import: {${from}, ${giver.named}}}\n`;
  const messages = new Set<string>();
  for (const [by, name, from] of [
    [other, 't', 'session: g'],
    [taker, 'thief', 'session: g'],
    [taker, 'old', `session: g, session_hash: ${hash}`],
    [taker, 'ns', 'session: g, secret: here'],
    [taker, 'version', 'session: g, secret: pinned'],
    [taker, 'none', 'session: nothing'],
    [taker, 'no', 'session: g, secret: nothing'],
  ] as const) {
    await by.create(name, imports(from));
    const message = refused(await by.start(name), 'CAS_SERVICE_REFUSED');
    assert.equal(message.includes('hunter2'), false);
    messages.add(message.replaceAll(/'[a-z]+'|127.0.0.1:\d+/g, '…').replace(new RegExp(`${name}/app`), ''));
  }
  assert.equal(messages.size, 1, [...messages].join('\n'));
  assert.equal(giver.audit().includes('Secrets exported'), false);
});

void test('without a certificate, or with another question, the route gives nothing', async (t) => {
  const giver = await place(t);
  const question = {
    importer: { session: 't', id: 'ab'.repeat(16), hash: 'ab'.repeat(32) },
    secrets: [{ session: 'g', secret: 'x' }],
    path: [],
    timeout: 1000,
  };
  const refusal = (code: string) => (error: unknown) =>
    error instanceof RefusedByCas && error.reason === code;
  await assert.rejects(readExports(await giver.connect(), question), refusal('CAS_IDENTITY_REQUIRED'));
  const stranger = await giver.connect(await clientKeys());
  await assert.rejects(readExports(stranger, question), refusal('CAS_VALUE_NOT_FOUND'));
  await assert.rejects(readExports(stranger, { ...question, secrets: [] }), refusal('CAS_REQUEST_INVALID'));
});

void test('another CAS at the address of the right one is asked nothing', async (t) => {
  const [giver, taker, impostor] = [await place(t), await place(t), await place(t)];
  await impostor.create(
    'g',
    `  - {name: x, kind: ascii, value: false, export: {session: t, ${taker.named}}}\n`,
  );
  const there = giver.named.replace(/127[.0-9:]+/, `127.0.0.1:${impostor.cas.clientAddress.port}`);
  await taker.create('t', `  - {name: x, import: {session: g, ${there}}}\n`);
  refused(await taker.start('t'), 'CAS_IMPORT_UNAVAILABLE');
  assert.equal(impostor.audit().includes('Secrets exported'), false);
});

void test('imports are followed from CAS to CAS, and a circle ends', async (t) => {
  const [a, b, c] = [await place(t), await place(t), await place(t)];
  await c.create('c', `  - {name: x, kind: binary, value: 00ff, export: {session: b, ${b.named}}}\n`, {});
  await b.create(
    'b',
    `  - {name: x, import: {session: c, ${c.named}}, export: {session: a, ${a.named}}}\n`,
    {},
  );
  await a.create('a', `  - {name: x, import: {session: b, ${b.named}}}\n`, { X: '$$SCONE::x:hex$$' });
  assert.deepEqual(await a.environment('a'), { X: '00ff' });

  await a.create(
    'ring',
    `  - {name: x, import: {session: ring, ${b.named}}, export: {session: ring, ${b.named}}}\n`,
  );
  await b.create(
    'ring',
    `  - {name: x, import: {session: ring, ${a.named}}, export: {session: ring, ${a.named}}}\n`,
  );
  const began = performance.now();
  refused(await a.start('ring'), 'CAS_SERVICE_REFUSED');
  assert.ok(performance.now() - began < 5000);
});

void test('a CAS that never answers holds up nobody but those who import from it, and them not for ever', async (t) => {
  const hole = createServer(() => undefined);
  hole.listen(0, '127.0.0.1');
  await once(hole, 'listening');
  t.after(() => hole.close());
  const taker = await place(t, { limits: { ...defaultLimits, imports: { timeout: 1500 } } });
  const there = taker.named.replace(/127[.0-9:]+/, `127.0.0.1:${(hole.address() as { port: number }).port}`);
  await taker.create('t', `  - {name: x, import: {session: g, ${there}}}\n`);
  await taker.create('free', '  - {name: x, kind: ascii, value: free}\n');
  const waiting = [1, 2, 3].map(() => taker.start('t'));
  assert.deepEqual(await taker.environment('free'), { X: 'free' });
  for (const answer of await Promise.all(waiting)) refused(answer, 'CAS_IMPORT_UNAVAILABLE');
  // Now it is known to be away, and nobody waits for it.
  const began = performance.now();
  assert.match(refused(await taker.start('t'), 'CAS_IMPORT_UNAVAILABLE'), /asked again in/);
  assert.ok(performance.now() - began < 1000);
});

void test('an authority of another CAS issues certificates, which are renewed, and outlive its absence', async (t) => {
  let now = Date.now();
  const options = { now: () => new Date(now) };
  const [giver, taker] = [await place(t, options), await place(t, options)];
  const to = `export: {session: t, ${taker.named}}`;
  await giver.create(
    'g',
    `  - {name: k, kind: private-key, ${to}}\n  - {name: ca, kind: x509-ca, private_key: k, valid_for: 30 days, ${to}, export_public: true}\n`,
    {},
  );
  await taker.create(
    't',
    `  - {name: key, kind: private-key}
  - {name: x, kind: x509, private_key: key, issuer: ca, valid_for: 3 days, export_public: true}
  - {name: ca, import: {session: g, ${giver.named}}}
  - {name: k, import: {session: g, ${giver.named}}}
`,
    { CERT: '$$SCONE::x$$', CHAIN: '$$SCONE::x:chain$$' },
  );
  const certificate = async (): Promise<{ leaf: X509Certificate; issuer: X509Certificate }> => {
    const { CERT = '', CHAIN = '' } = await taker.environment('t');
    return { leaf: new X509Certificate(CERT), issuer: new X509Certificate(CHAIN) };
  };
  const first = await certificate();
  assert.ok(first.leaf.verify(first.issuer.publicKey));
  assert.equal((await certificate()).leaf.raw.equals(first.leaf.raw), true, 'kept');

  now += 2.5 * day;
  const shown = await readValue(await taker.connect(), 't', 'x');
  const second = await certificate();
  assert.equal(second.leaf.toString().trim(), shown.value.trim(), 'made once, by whoever comes first');
  assert.notEqual(second.leaf.serialNumber, first.leaf.serialNumber);
  assert.equal(shown.expires, second.leaf.validToDate.toISOString());
  assert.ok(shown.renew !== null && shown.renew < (shown.expires ?? ''));

  now += 20 * day;
  const third = await certificate();
  assert.notEqual(
    third.issuer.serialNumber,
    second.issuer.serialNumber,
    'the authority was renewed at its CAS',
  );
  assert.ok(third.leaf.verify(third.issuer.publicKey));

  await giver.cas.close();
  now += 2.5 * day;
  assert.equal((await certificate()).leaf.serialNumber, third.leaf.serialNumber, 'due, but still good');
  now += day;
  refused(await taker.start('t'), 'CAS_IMPORT_UNAVAILABLE');
});

void test('a CAS that lets only attested clients in is shown evidence by the other CAS', async (t) => {
  const [before, taker] = [await place(t), await place(t)];
  await before.create('g', `  - {name: x, kind: ascii, size: 30, export: {session: t, ${taker.named}}}\n`);
  const { X } = await before.environment('g');
  await before.cas.close();
  const clientsThatRun = (mrenclave: string): Partial<CasOptions> => ({
    clientPolicy: parseSessionOrThrow(
      `name: clients\nversion: "0.3.12"\nensconce: {accept_simulation: true}\nservices:\n- {name: cas, command: cas, attestation: [{mrenclave: "${mrenclave}"}]}\n`,
    ),
    verifier: evidenceVerifier({ insecureSimulatedVendor: taker.vendor }),
  });
  const { folder } = before;
  const others = await casUnderTest(t, { ...clientsThatRun('ee'.repeat(32)), folder });
  const at = (port: number): string => before.named.replace(/127[.0-9:]+/, `127.0.0.1:${port}`);
  await taker.create('t', `  - {name: x, import: {session: g, ${at(others.cas.clientAddress.port)}}}\n`);
  refused(await taker.start('t'), 'CAS_SERVICE_REFUSED');
  await others.cas.close();
  const giver = await casUnderTest(t, { ...clientsThatRun(casMeasurement), folder });
  const hash = (await readSession(await taker.connect(taker.client), 't')).hash;
  await taker.create(
    't',
    `  - {name: x, import: {session: g, ${at(giver.cas.clientAddress.port)}}}\n`,
    undefined,
    `predecessor: ${hash}`,
  );
  assert.deepEqual(await taker.environment('t'), { X });
});

void test('a fragment of another CAS can say which program is meant, but not loosen what evidence must show', async (t) => {
  const [giver, taker] = [await place(t), await place(t)];
  const image = imageFor(taker.cas);
  const to = `export: {session: t, ${taker.named}}`;
  await giver.create(
    'g',
    `  - {name: code, kind: config-fragment, value: {mrenclave: ["${measure(image)}"]}, ${to}}
  - {name: loose, kind: config-fragment, value: {mode: none}, ${to}}
`,
    {},
  );
  const text = sessionOfSecrets({
    name: 't',
    mrenclave: measure(image),
    layer: image.layers[0] ?? '',
    environment: { X: '$$SCONE::x$$' },
    secrets: `  - {name: x, kind: ascii, value: of this session}
  - {name: code, import: {session: g, ${giver.named}}}
  - {name: loose, import: {session: g, ${giver.named}}}
`,
  }).replace(/attestation: .*/, () => 'attestation: ["$$SCONE::code$$"]');
  const client = await taker.connect(taker.client);
  const { hash } = await postSession(client, text);
  assert.deepEqual(await taker.environment('t'), { X: 'of this session' });
  await postSession(client, `${text}predecessor: ${hash}\nsecurity: {attestation: "$$SCONE::loose$$"}\n`);
  refused(await taker.start('t'), 'CAS_SERVICE_REFUSED');
});
