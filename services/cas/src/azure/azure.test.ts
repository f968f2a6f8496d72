import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sealEnvelope } from '@ensconce/secrets/envelope';
import { azureServer } from '../../test/azure-server.ts';
import { place, refused } from '../../test/place.ts';

const hour = 3_600_000;
const password = 'p&ss of the application';
const application = { tenant: 'directory', client: 'an-application' };
const token = `  - {name: t, kind: aad-token, tenant_id: directory, client_id: an-application, application_secret: $$SCONE::pw$$}
  - {name: pw, kind: ascii, value: "${password}"}
`;

void test('a value of a vault arrives, sealed or not, with a token by password', async (t) => {
  const azure = await azureServer(t);
  azure.applications = [{ ...application, password }];
  const key = randomBytes(32);
  azure.secrets.set('plain', [{ version: 'a'.repeat(32), value: 'from the vault' }]);
  azure.secrets.set('sealed', [
    { version: 'a'.repeat(32), value: sealEnvelope('for us alone', key, randomBytes(12)) },
  ]);
  const { create, environment, start } = await place(t, { azure: azure.access });
  const imports = `${token}  - {name: x, import_akv: {vault: "https://${azure.vault}/", secret_name: plain, token: t}}
  - {name: y, import_akv: {vault: "${azure.vault}", secret_name: sealed, token: t, decryption_key: k}}
`;
  const names = { X: '$$SCONE::x$$', Y: '$$SCONE::y$$' };
  await create('v', `${imports}  - {name: k, kind: binary, value: ${key.toString('hex')}}\n`, names);
  assert.deepEqual(await environment('v'), { X: 'from the vault', Y: 'for us alone' });
  await create(
    'w',
    `${imports}  - {name: k, kind: binary, value: ${randomBytes(32).toString('hex')}}\n`,
    names,
  );
  refused(await start('w'), 'CAS_SERVICE_REFUSED');
});

void test('a token by certificate; it goes to the service itself, and is another one before it expires', async (t) => {
  let now = Date.now();
  const clock = (): Date => new Date(now);
  const azure = await azureServer(t, clock);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  azure.applications = [{ ...application, certificate: { publicKey, thumbprint: '00ff'.repeat(10) } }];
  const { create, environment } = await place(t, { azure: azure.access, now: clock });
  const pem = JSON.stringify(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await create(
    'v',
    `  - {name: x, kind: aad-token, tenant_id: directory, client_id: an-application, private_key: k, certificate_thumbprint: ${'00ff'.repeat(10)}}
  - {name: k, kind: private-key, value: ${pem}}
`,
  );
  const first = await environment('v');
  assert.match(first['X'] ?? '', /^token-/);
  now += 0.8 * hour;
  assert.deepEqual(await environment('v'), first);
  now += 0.15 * hour;
  const second = await environment('v');
  assert.notDeepEqual(second, first);
  assert.equal(azure.requests.length, 2);
});

void test('Azure is asked for what a service needs, and for nothing else', async (t) => {
  const azure = await azureServer(t);
  const { create, environment } = await place(t, { azure: azure.access });
  await create(
    'v',
    `${token}  - {name: y, import_akv: {vault: "${azure.vault}", secret_name: n, token: t}}\n  - {name: x, kind: ascii, value: own value}\n`,
  );
  assert.deepEqual(await environment('v'), { X: 'own value' });
  assert.deepEqual(azure.requests, []);
});

void test('no vault but those that are allowed is asked, and no redirect leads to another', async (t) => {
  const azure = await azureServer(t);
  azure.applications = [{ ...application, password }];
  const other = await azureServer(t);
  const { create, start } = await place(t, { azure: azure.access });
  const at = (vault: string): string =>
    `${token}  - {name: x, import_akv: {vault: "${vault}", secret_name: n, token: t}}\n`;
  for (const [index, vault] of [
    `http://${azure.vault}`,
    `https://${other.vault}`,
    `https://x@${azure.vault}`,
    `https://${azure.vault}.example`,
    '169.254.169.254',
    'name-of-a-vault',
  ].entries()) {
    await create(`v${index}`, at(vault));
    assert.match(refused(await start(`v${index}`), 'CAS_SERVICE_REFUSED'), /a vault at https/);
  }
  assert.deepEqual(other.requests, []);
  await create('redirected', at(azure.vault));
  azure.failing = 302;
  refused(await start('redirected'), 'CAS_SERVICE_REFUSED');
});

void test('a server that is not Azure by its certificate learns nothing', async (t) => {
  const [azure, other] = [await azureServer(t), await azureServer(t)];
  const { create, start } = await place(t, {
    azure: { ...azure.access, authority: `https://${other.vault}` },
  });
  await create(
    'v',
    `${token}  - {name: x, import_akv: {vault: "${azure.vault}", secret_name: n, token: t}}\n`,
  );
  refused(await start('v'), 'CAS_IMPORT_UNAVAILABLE');
  assert.deepEqual(other.requests, []);
});

const kept = `${token}  - {name: x, kind: ascii, size: 32}
  - {name: key, kind: private-key, migrate: true}
  - {name: cert, kind: x509, private_key: key, export_public: true}
`;
const environmentOfKept = { X: '$$SCONE::x$$', KEY: '$$SCONE::key$$', CERT: '$$SCONE::cert$$' };

void test('secret_config !akv: what CAS makes lies in the vault, sealed, and survives an update', async (t) => {
  const azure = await azureServer(t);
  azure.applications = [{ ...application, password }];
  const first = await place(t, { azure: azure.access });
  const more = `secret_config: {store_in: !akv {token: t, vault: "${azure.vault}"}}`;
  const hash = await first.create('v', kept, environmentOfKept, more);
  assert.equal(azure.secrets.size, 0, 'made at the first start');
  const [one, two] = await Promise.all([first.environment('v'), first.environment('v')]);
  assert.deepEqual(one, two);
  assert.deepEqual(await first.environment('v'), one);
  const names = [...azure.secrets.keys()];
  assert.equal(names.length >= 4, true, names.join());
  for (const name of names) assert.match(name, /^cas-[0-9a-f]{64}-[0-9a-f]{32}$/);
  assert.equal(JSON.stringify([...azure.secrets]).includes(one['X'] ?? assert.fail()), false);
  assert.equal(
    names.some((name) => name.includes(hash)),
    false,
    'the hash of an unsalted session is not shown',
  );

  await first.create('v', kept, environmentOfKept, `${more}\npredecessor: ${hash}`);
  const after = await first.environment('v');
  assert.equal(after['X'], one['X']);
  assert.equal(after['KEY'], one['KEY']);
  assert.notEqual(after['CERT'], one['CERT'], 'certificates are made anew');

  azure.failing = 503;
  refused(await first.start('v'), 'CAS_IMPORT_UNAVAILABLE');
  azure.failing = undefined;
  assert.equal((await first.environment('v'))['X'], one['X']);
  // The vault's keeper exchanges the values of secrets.
  const lists = [...azure.secrets.values()];
  for (const [index, versions] of lists.entries())
    for (const version of versions) version.value = lists[(index + 1) % lists.length]?.[0]?.value ?? '';
  refused(await first.start('v'), 'CAS_SERVICE_REFUSED');
});

void test('secret_config !akv: nothing of it lies in the state folder', async (t) => {
  const azure = await azureServer(t);
  azure.applications = [{ ...application, password }];
  const cas = await place(t, { azure: azure.access });
  const salt = '00112233445566778899aabbccddeeff';
  const more = `salt: ${salt}\nsecret_config: {store_in: !akv {token: t, vault: "${azure.vault}"}}`;
  const hash = await cas.create('v', kept, environmentOfKept, more);
  await cas.environment('v');
  for (const name of azure.secrets.keys()) assert.ok(name.startsWith(`cas-${hash}-`));
  const folder = join(cas.folder, 'state');
  const values = [...azure.secrets.values()].flat().map(({ value }) => value);
  for (const file of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, file));
    for (const value of values) assert.equal(bytes.includes(value), false, file);
  }
});

void test('secret_config !akv: after a restart CAS gets the very values from the vault, by the versions that it kept', async (t) => {
  const azure = await azureServer(t);
  azure.applications = [{ ...application, password }];
  const first = await place(t, { azure: azure.access });
  const more = `secret_config: {store_in: !akv {token: t, vault: "${azure.vault}"}}`;
  await first.create('v', kept, environmentOfKept, more);
  const before = await first.environment('v');
  await first.cas.close();

  azure.failing = 503;
  azure.requests.length = 0;
  const second = await place(t, { azure: azure.access, folder: first.folder });
  assert.equal(azure.requests.length, 0, 'a CAS that starts needs no vault');
  refused(await second.start('v'), 'CAS_IMPORT_UNAVAILABLE');
  azure.failing = undefined;
  azure.requests.length = 0;
  assert.deepEqual(await second.environment('v'), before);
  assert.equal(
    azure.requests.some((request) => request.startsWith('PUT ')),
    false,
    'nothing is made or written anew',
  );
  for (const name of azure.secrets.keys())
    assert.ok(
      azure.requests.some((request) => request.includes(name)),
      `${name} is read from the vault`,
    );
  for (const versions of azure.secrets.values())
    versions.push({ version: 'f'.repeat(32), value: 'newer, by the keeper of the vault' });
  assert.deepEqual(await second.environment('v'), before);
});

void test('a value of a vault is asked for at each start, also after a restart: none is kept', async (t) => {
  const azure = await azureServer(t);
  azure.applications = [{ ...application, password }];
  azure.secrets.set('plain', [{ version: 'a'.repeat(32), value: 'the first value' }]);
  const first = await place(t, { azure: azure.access });
  await first.create(
    'v',
    `${token}  - {name: x, import_akv: {vault: "${azure.vault}", secret_name: plain, token: t}}\n`,
  );
  assert.deepEqual(await first.environment('v'), { X: 'the first value' });
  await first.cas.close();

  const second = await place(t, { azure: azure.access, folder: first.folder });
  azure.failing = 503;
  refused(await second.start('v'), 'CAS_IMPORT_UNAVAILABLE');
  azure.failing = undefined;
  azure.secrets.get('plain')?.push({ version: 'b'.repeat(32), value: 'the second value' });
  assert.deepEqual(await second.environment('v'), { X: 'the second value' });
});
