import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { call } from '@ensconce/api/call';
import { listSessions, postSession, version } from '@ensconce/api/client';
import type { CasConnection } from '@ensconce/api/connection';
import { fillPath } from '@ensconce/api/path';
import type { Route } from '@ensconce/api/route';
import { routes } from '@ensconce/api/routes';
import { fromHex } from '@ensconce/base/bytes';
import { publicKeyOf } from '@ensconce/identity/self-signed';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { Session } from '@ensconce/policy/session';
import { guestConfigId, guestHostData, imageRegister } from '@ensconce/measurement/guest';
import { makeCertificateTable, makeSnpReport } from '@ensconce/simulation/snp/quote';
import { openSimulatedVendor, type SimulatedVendor } from '@ensconce/simulation/vendor';
import { reportData, type Binding } from '@ensconce/wire/binding';
import { casUnderTest, clientKeys, testFolder, type ClientKeys } from '../../test/cas-under-test.ts';
import { amd, chip, simulatedGuests } from '../../test/simulated-guests.ts';
import { refusedWith } from '../../test/refused.ts';
import { sessionText } from '../../test/session-text.ts';

const mrenclave = 'cd'.repeat(32);

const policy = (acceptSimulation = true): Session =>
  parseSessionOrThrow(
    `name: clients\nversion: "0.3"\nensconce: {accept_simulation: ${acceptSimulation}}\nservices: [{name: client, attestation: [{mrenclave: ["${mrenclave}"]}]}]\n`,
  );

interface Proof {
  readonly mrenclave?: string;
  readonly binding?: Partial<Binding>;
}

/** Evidence of simulated hardware over that connection, with parts that may be wrong. */
async function evidenceOf(
  vendor: SimulatedVendor,
  cas: CasConnection,
  keys: ClientKeys,
  proof: Proof = {},
): Promise<{ format: 'sgx'; evidence: string }> {
  const { nonce } = await call(cas, routes.readClientChallenge, {});
  const quote = vendor.makeSgxQuote({
    mrenclave: fromHex(proof.mrenclave ?? mrenclave),
    mrsigner: new Uint8Array(32),
    isvprodid: 1,
    isvsvn: 1,
    reportData: reportData({
      role: 'client-to-cas',
      publicKey: publicKeyOf(keys.certificate),
      exporter: cas.exporter,
      nonce: fromHex(nonce, 32),
      configId: '',
      casIdentity: cas.publicKey,
      ...proof.binding,
    }),
  });
  return { format: 'sgx', evidence: Buffer.from(quote).toString('base64') };
}

void test('until it has proved what it runs, a client gets nothing but what it needs to do so', async (t) => {
  const { connect } = await casUnderTest(t, { clientPolicy: policy() });
  const cas = await connect(await clientKeys());
  for (const row of Object.values<Route>(routes)) {
    const parts = Object.fromEntries(Object.keys(row.parameters ?? {}).map((name) => [name, 'x']));
    const asking = cas.exchange({
      method: row.method,
      path: fillPath(row.path, parts),
      ...(row.body === undefined
        ? {}
        : { body: { type: row.body.types[0] ?? '', content: Buffer.from('{}') } }),
    });
    if (row.beforeAttestation === true) {
      await asking.catch((error: unknown) =>
        assert.throws(() => refusedWith('CAS_CLIENT_UNATTESTED')(error)),
      );
    } else await assert.rejects(asking, refusedWith('CAS_CLIENT_UNATTESTED'), `${row.method} ${row.path}`);
  }
});

void test('who has proved it gets what is theirs, on that connection alone', async (t) => {
  const { connect, vendor, folder } = await casUnderTest(t, { clientPolicy: policy() });
  const keys = await clientKeys();
  const cas = await connect(keys);
  assert.equal((await version(cas)).everAcceptedSimulation, false);
  const body = await evidenceOf(vendor, cas, keys);
  assert.deepEqual(await call(cas, routes.attestClient, { body }), { attested: true, simulated: true });
  await postSession(cas, sessionText({ name: 'app', mrenclave }));
  assert.deepEqual((await listSessions(cas)).sessions, [{ name: 'app' }]);
  assert.equal((await version(cas)).everAcceptedSimulation, true, 'the state is marked for ever');
  await assert.rejects(listSessions(await connect(keys)), refusedWith('CAS_CLIENT_UNATTESTED'));
  const log = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  assert.match(
    log,
    new RegExp(
      `"code":"${mrenclave}",.*"signer":"0+","simulated":true,"tee":"sgx",.*"type":"Client attested"`,
    ),
  );
});

void test('evidence of another program, connection, key, moment or purpose proves nothing', async (t) => {
  const { connect, vendor, folder } = await casUnderTest(t, { clientPolicy: policy() });
  const [keys, others] = [await clientKeys(), await clientKeys()];
  const [cas, other] = [await connect(keys), await connect(others)];
  const cases: Readonly<Record<string, [Proof, string]>> = {
    'another program': [{ mrenclave: '00'.repeat(32) }, 'CAS_SERVICE_REFUSED'],
    'another connection': [{ binding: { exporter: other.exporter } }, 'CAS_BINDING_MISMATCH'],
    'another key': [{ binding: { publicKey: publicKeyOf(others.certificate) } }, 'CAS_BINDING_MISMATCH'],
    'another challenge': [{ binding: { nonce: new Uint8Array(32) } }, 'CAS_BINDING_MISMATCH'],
    'another CAS': [{ binding: { casIdentity: new Uint8Array(32) } }, 'CAS_BINDING_MISMATCH'],
    'a service': [{ binding: { role: 'service-to-cas' } }, 'CAS_BINDING_MISMATCH'],
    'CAS itself': [{ binding: { role: 'cas-to-client' } }, 'CAS_BINDING_MISMATCH'],
  };
  for (const [what, [proof, code]] of Object.entries(cases)) {
    const body = await evidenceOf(vendor, cas, keys, proof);
    await assert.rejects(call(cas, routes.attestClient, { body }), refusedWith(code), what);
    await assert.rejects(listSessions(cas), refusedWith('CAS_CLIENT_UNATTESTED'), what);
  }
  const good = await evidenceOf(vendor, cas, keys);
  await assert.rejects(
    call(cas, routes.attestClient, { body: { ...good, evidence: 'AAAA' } }),
    refusedWith('CAS_EVIDENCE_REFUSED'),
  );
  await assert.rejects(
    call(cas, routes.attestClient, { body: good }),
    refusedWith('CAS_REQUEST_INVALID', /a challenge on this connection expected first/),
    'a challenge is good once',
  );
  const log = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  assert.equal(log.match(/"type":"Client refused"/g)?.length, Object.keys(cases).length + 2);
});

void test('simulated hardware is believed only where the policy of the clients says so', async (t) => {
  const { connect, vendor } = await casUnderTest(t, { clientPolicy: policy(false) });
  const keys = await clientKeys();
  const cas = await connect(keys);
  const body = await evidenceOf(vendor, cas, keys);
  await assert.rejects(call(cas, routes.attestClient, { body }), refusedWith('CAS_SERVICE_REFUSED'));
  assert.equal((await version(cas)).everAcceptedSimulation, false);
});

void test('a policy that asks clients for more than they can show stops the start', async (t) => {
  const refusals: Readonly<Record<string, RegExp>> = {
    'security: {attestation: {mode: none}}': /mode none found/,
    'security: {attestation: {must_be_sgx_local: true}}': /must_be_sgx_local found/,
    'security: {attestation: {one_time_password_shared_secret: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ}}':
      /one_time_password_shared_secret found/,
    'security: {service_access_token: opensesame}': /service_access_token found/,
    'security: {singleton_enclaves: true}': /singleton_enclaves found/,
    'security: {attestation: "$$SCONE::how$$"}': /how.*: no value found/,
    'secrets: [{name: how, kind: config-fragment, value: {mode: none}}]\nsecurity: {attestation: "$$SCONE::how$$"}':
      /mode none found/,
  };
  const text = 'name: clients\nversion: "0.3"\nservices: [{name: client, attestation: [{mrenclave: ["';
  for (const [more, message] of Object.entries(refusals)) {
    const asking = parseSessionOrThrow(`${text}${mrenclave}"]}]}]\n${more}\n`);
    await assert.rejects(
      casUnderTest(t, { clientPolicy: asking }),
      { code: 'CAS_REQUEST_INVALID', message },
      more,
    );
  }
});

void test('what clients must run may stand in a fragment of the session itself', async (t) => {
  const fragment = `secrets: [{name: us, kind: config-fragment, value: ["${mrenclave}"]}]`;
  const { connect, vendor } = await casUnderTest(t, {
    clientPolicy: parseSessionOrThrow(
      `name: clients\nversion: "0.3"\nensconce: {accept_simulation: true}\n${fragment}\nservices: [{name: client, attestation: [{mrenclave: ["$$SCONE::us$$"]}]}]\n`,
    ),
  });
  const keys = await clientKeys();
  const cas = await connect(keys);
  const body = await evidenceOf(vendor, cas, keys);
  assert.deepEqual(await call(cas, routes.attestClient, { body }), { attested: true, simulated: true });
});

const image = 'ab'.repeat(32);
const filled = (byte: number): Uint8Array => new Uint8Array(48).fill(byte);
const guests = parseSessionOrThrow(`name: clients
version: "0.3.12"
ensconce: {accept_simulation: true}
services:
  - name: client
    ensconce:
      tdx: {${['mrtd', 'rtmr0', 'rtmr1', 'rtmr2'].map((name, i) => `${name}: "${`0${i + 1}`.repeat(48)}"`).join(', ')}, image: "${image}"}
      snp: {measurement: "${'05'.repeat(48)}", vmpl: 1, image: ["${image}"]}
`);

void test('a confidential VM that was launched for it is a client too', async (t) => {
  const folder = testFolder(t);
  const vendor = await openSimulatedVendor({ folder: join(folder, 'vendor'), now: () => new Date() });
  const hardware = simulatedGuests(vendor);
  const { cas, connect } = await casUnderTest(t, {
    folder,
    clientPolicy: guests,
    verifier: hardware.verifier,
  });
  const keys = await clientKeys();
  const prove = async (
    format: 'tdx' | 'snp',
    wrong: { readonly configId?: string; readonly role?: Binding['role']; readonly mrtd?: number } = {},
  ): Promise<CasConnection> => {
    const connection = await connect(keys);
    const { configId = 'clients/client', role = 'client-to-cas', mrtd = 1 } = wrong;
    const purpose = { casIdentity: cas.identity, configId, measurement: image };
    const { nonce } = await call(connection, routes.readClientChallenge, {});
    const data = reportData({
      role,
      publicKey: publicKeyOf(keys.certificate),
      exporter: connection.exporter,
      nonce: fromHex(nonce, 32),
      configId: '',
      casIdentity: connection.publicKey,
    });
    const evidence =
      format === 'tdx'
        ? vendor.makeTdxQuote({
            reportData: data,
            mrtd: filled(mrtd),
            rtmrs: [filled(2), filled(3), filled(4), fromHex(imageRegister(image))],
            mrconfigid: fromHex(guestConfigId(purpose)),
          })
        : makeSnpReport(chip, {
            reportData: data,
            version: 3,
            measurement: filled(5),
            hostData: fromHex(guestHostData(purpose)),
            vmpl: 1,
          });
    const certificates =
      format === 'snp'
        ? { certificates: Buffer.from(makeCertificateTable(chip, amd)).toString('base64') }
        : {};
    await call(connection, routes.attestClient, {
      body: { format, evidence: Buffer.from(evidence).toString('base64'), ...certificates },
    });
    return connection;
  };
  for (const format of ['tdx', 'snp'] as const) {
    assert.deepEqual((await listSessions(await prove(format))).sessions, []);
    await assert.rejects(
      prove(format, { configId: 'clients/other' }),
      refusedWith('CAS_SERVICE_REFUSED'),
      `${format}: launched for another service`,
    );
    await assert.rejects(
      prove(format, { role: 'service-to-cas' }),
      refusedWith('CAS_BINDING_MISMATCH'),
      `${format}: as a service`,
    );
  }
  await assert.rejects(prove('tdx', { mrtd: 9 }), refusedWith('CAS_SERVICE_REFUSED'), 'another guest');
  const log = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  assert.match(log, new RegExp(`"code":"${'01'.repeat(48)}",.*"tee":"tdx",.*"type":"Client attested"`));
  assert.match(log, new RegExp(`"code":"${'05'.repeat(48)}",.*"tee":"snp",.*"type":"Client attested"`));
});
