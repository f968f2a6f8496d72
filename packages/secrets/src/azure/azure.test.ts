import assert from 'node:assert/strict';
import { createPublicKey, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { jwtVerify } from 'jose';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { SecretsError } from '../errors.ts';
import { generateSecrets } from '../generate.ts';
import { renderSecret, renderStored } from '../render.ts';
import { resolveAzure } from './akv-imports.ts';
import { Azure } from './azure.ts';
import { sealEnvelope } from './envelope.ts';
import type { Exchange } from './exchange.ts';

const random = (size: number) => new Uint8Array(randomBytes(size));
const now = new Date('2026-03-01T00:00:00Z');
const vaultValues = new Map<string, string>();
/** What the token end point got last. */
let lastForm = new URLSearchParams();

/** Speaks the two calls of Azure that are used: a token by client credentials, and one secret of a vault. */
const server = createServer((request, response) => {
  void respond(request, response);
});
async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [status, body] = await answer(request);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
async function answer(request: IncomingMessage): Promise<[number, unknown]> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const url = new URL(request.url ?? '', 'http://localhost');
  if (request.method === 'POST' && url.pathname === '/tenant/oauth2/v2.0/token') {
    lastForm = new URLSearchParams(body);
    const known =
      lastForm.get('client_id') === 'client' && lastForm.get('scope') === 'https://vault.azure.net/.default';
    const proof = lastForm.get('client_secret') === 'p&ss' || lastForm.has('client_assertion');
    return known && proof
      ? [200, { access_token: 'tok', expires_in: 3599 }]
      : [401, { error: 'invalid_client' }];
  }
  if (request.headers.authorization !== 'Bearer tok') return [401, {}];
  const value = vaultValues.get(url.pathname.replace('/secrets/', ''));
  return value === undefined ? [404, { error: {} }] : [200, { value, id: 'x' }];
}
await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
after(() => server.close());
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

let exchanges: string[] = [];
const exchange: Exchange = async ({ method, url, headers, body }) => {
  exchanges.push(`${method} ${new URL(url).pathname}`);
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
};
async function imported(secrets: string) {
  const session = parseSessionOrThrow(`name: s\nversion: "0.3.12"\nsecrets:\n${secrets}`);
  const state = await generateSecrets(session, { random, now });
  const azure = new Azure({ exchange, now: () => now, random, authority: address });
  const names = new Set(session.secrets.map(({ name }) => name));
  const found = await resolveAzure(session, names, state.secrets, { azure, now, random });
  return {
    state,
    text: (name: string) => Buffer.from(renderStored(found[name] ?? assert.fail(), name, '')).toString(),
  };
}
const token =
  '- {name: t, kind: aad-token, tenant_id: tenant, client_id: client, application_secret: $$SCONE::pw$$}\n- {name: pw, kind: ascii, value: "p&ss"}\n';
const asked = (extra = '') =>
  `- {name: v, import_akv: {vault: "${address}/", secret_name: mine, token: t${extra}}}\n`;

void test('a value of the vault arrives, by password', async () => {
  vaultValues.set('mine', 'from the vault');
  assert.equal((await imported(token + asked())).text('v'), 'from the vault');
});

void test('by certificate: an assertion signed for this token end point', async () => {
  const byKey = `- {name: t, kind: aad-token, tenant_id: tenant, client_id: client, private_key: k, certificate_thumbprint: 00ff}\n- {name: k, kind: private-key, key_type: RSA-2048}\n`;
  const { state, text } = await imported(byKey + asked());
  assert.equal(text('v'), 'from the vault');
  const key = createPublicKey(Buffer.from(renderSecret(state, 'k', 'pem')).toString());
  const { payload, protectedHeader } = await jwtVerify(lastForm.get('client_assertion') ?? '', key, {
    audience: `${address}/tenant/oauth2/v2.0/token`,
    issuer: 'client',
    subject: 'client',
    currentDate: now,
  });
  assert.equal(protectedHeader['x5t'], 'AP8');
  assert.match(payload.jti ?? '', /^[0-9a-f]{32}$/);
});

void test('an encrypted value is opened with its key, and only with it', async () => {
  const key = randomBytes(32);
  vaultValues.set('mine', sealEnvelope('sealed text', key, randomBytes(12)));
  const withKey = (hex: string) =>
    `${token}${asked(', decryption_key: dk')}- {name: dk, kind: binary, value: ${hex}}\n`;
  assert.equal((await imported(withKey(key.toString('hex')))).text('v'), 'sealed text');
  await assert.rejects(() => imported(withKey(randomBytes(32).toString('hex'))), refused);
  vaultValues.set('mine', 'AKEAAg==');
  await assert.rejects(() => imported(withKey(key.toString('hex'))), refused);
});

void test('a wrong password and an unknown secret are refused without showing anything', async () => {
  await assert.rejects(() => imported(token.replace('p&ss', 'wrong') + asked()), refused);
  vaultValues.clear();
  await assert.rejects(() => imported(token + asked()), refused);
});

void test('a token may be made of a value of a vault, and a circle of such is refused', async () => {
  vaultValues.set('mine', 'p&ss');
  const second =
    '- {name: t2, kind: aad-token, tenant_id: tenant, client_id: client, application_secret: $$SCONE::v$$}';
  const next = `${second}\n- {name: w, import_akv: {vault: "${address}", secret_name: mine, token: t2}}\n`;
  assert.equal((await imported(token + asked() + next)).text('w'), 'p&ss');
  const circle = `- {name: t, kind: aad-token, tenant_id: tenant, client_id: client, application_secret: $$SCONE::v$$}\n${asked()}`;
  await assert.rejects(() => imported(circle), /circle/);
});

void test('a token is used until shortly before it expires, and asked for once by many', async () => {
  let time = now.getTime();
  const azure = new Azure({ exchange, now: () => new Date(time), random, authority: address });
  const application = { name: 't', tenantId: 'tenant', clientId: 'client', proof: { password: 'p&ss' } };
  exchanges = [];
  await Promise.all([1, 2, 3].map(() => azure.token(application)));
  time += 3000_000;
  await azure.token(application);
  assert.equal(exchanges.length, 1);
  time += 300_000;
  await azure.token(application);
  assert.equal(exchanges.length, 2);
  await assert.rejects(() => azure.token({ ...application, proof: { password: 'wrong' } }), /invalid_client/);
});

void test('an answer that may be another one later says so', async () => {
  const failing = (status: number): Azure =>
    new Azure({
      exchange: () => Promise.resolve({ status, body: Buffer.from('{"value":"hunter2"}') }),
      now: () => now,
      random,
      authority: address,
    });
  const where = { what: 'secret v', vault: 'mine', name: 'n', token: 't' };
  for (const [status, code] of [
    [429, 'SECRETS_UNAVAILABLE'],
    [503, 'SECRETS_UNAVAILABLE'],
    [302, 'SECRETS_IMPORT'],
    [403, 'SECRETS_IMPORT'],
  ] as const) {
    await assert.rejects(
      () => failing(status).read(where),
      (error) => {
        return error instanceof SecretsError && error.code === code && !error.message.includes('hunter2');
      },
    );
  }
});

function refused(error: unknown): boolean {
  return (
    error instanceof SecretsError && error.code === 'SECRETS_IMPORT' && !/wrong|sealed/.test(error.message)
  );
}
