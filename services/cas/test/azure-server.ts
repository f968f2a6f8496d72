import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { fromUtf8 } from '@ensconce/base/bytes';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { generateSecrets } from '@ensconce/secrets/generate';
import { renderSecret } from '@ensconce/secrets/render';
import type { AzureAccess } from '../src/azure/azure-exchange.ts';

/** What the server lets in. */
export interface AzureApplication {
  readonly tenant: string;
  readonly client: string;
  readonly password?: string;
  /** PEM public key whose assertions are accepted, and the thumbprint (hex) that they must name. */
  readonly certificate?: { readonly publicKey: string; readonly thumbprint: string };
}

/**
 * A local HTTPS server that speaks what is used of Azure: the v2 token end point (RFC 6749 §4.4, RFC 7523) and the secrets
 * of Key Vault, API version 7.4, with versions. Another authority signed its certificate.
 */
export interface AzureServer {
  readonly access: AzureAccess;
  /** `127.0.0.1:PORT`, as a vault. */
  readonly vault: string;
  /** Values by name, the newest last. */
  readonly secrets: Map<string, { readonly version: string; value: string }[]>;
  /** Method and path of every request. */
  readonly requests: string[];
  applications: readonly AzureApplication[];
  /** Answers with this status instead, where it is set. */
  failing: number | undefined;
  readonly now: () => Date;
}

export async function azureServer(t: TestContext, now: () => Date = () => new Date()): Promise<AzureServer> {
  const session = parseSessionOrThrow(
    'name: s\nversion: "0.3.12"\nsecrets:\n- {name: k, kind: private-key}\n- {name: ca, kind: x509-ca, private_key: k}\n- {name: c, kind: x509, private_key: k, issuer: ca, san: ["ip:127.0.0.1"]}\n',
  );
  const state = await generateSecrets(session, { random: randomBytes, now: new Date() });
  const pem = (name: string): string => fromUtf8(renderSecret(state, name, ''));
  const server = createServer({ key: pem('k'), cert: pem('c') }, (request, response) => {
    void respond(azure, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const vault = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const azure: AzureServer = {
    access: { authority: `https://${vault}`, vaults: [vault], certificateAuthorities: pem('ca') },
    vault,
    secrets: new Map(),
    requests: [],
    applications: [],
    failing: undefined,
    now,
  };
  return azure;
}

async function respond(
  azure: AzureServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const [status, answer] = await answerTo(azure, request, body);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer));
}

/** Tokens say until when they are good, so that the server needs no memory. */
const tokenLifetime = 3600;

async function answerTo(
  azure: AzureServer,
  request: IncomingMessage,
  body: string,
): Promise<[number, unknown]> {
  const { method = '', url: address = '', headers } = request;
  const url = new URL(address, 'https://localhost');
  azure.requests.push(`${method} ${url.pathname}`);
  if (azure.failing !== undefined) return [azure.failing, { error: 'server_error' }];
  const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(url.pathname)?.[1];
  if (tenant !== undefined) {
    if (method !== 'POST' || headers['content-type'] !== 'application/x-www-form-urlencoded')
      return [400, {}];
    return tokenFor(azure, tenant, new URLSearchParams(body), `https://${headers.host}${url.pathname}`);
  }
  const bearer = /^Bearer token-(\d+)-[0-9a-f]+$/.exec(headers.authorization ?? '')?.[1];
  if (bearer === undefined || Number(bearer) <= azure.now().getTime())
    return [401, { error: { code: 'Unauthorized' } }];
  if (url.searchParams.get('api-version') !== '7.4') return [400, { error: { code: 'BadParameter' } }];
  const [, name = '', version] =
    /^\/secrets\/([0-9a-zA-Z-]{1,127})(?:\/([0-9a-f]{32}))?$/.exec(url.pathname) ?? [];
  const versions = azure.secrets.get(name) ?? [];
  if (method === 'PUT' && name !== '') {
    const { value } = JSON.parse(body) as { value: string };
    const made = { version: randomBytes(16).toString('hex'), value };
    azure.secrets.set(name, [...versions, made]);
    return [
      200,
      { value, id: `https://${azure.vault}/secrets/${name}/${made.version}`, attributes: { enabled: true } },
    ];
  }
  const found = version === undefined ? versions.at(-1) : versions.find((one) => one.version === version);
  if (method !== 'GET' || found === undefined) return [404, { error: { code: 'SecretNotFound' } }];
  return [200, { value: found.value, id: `https://${azure.vault}/secrets/${name}/${found.version}` }];
}

function tokenFor(
  azure: AzureServer,
  tenant: string,
  form: URLSearchParams,
  audience: string,
): [number, unknown] {
  const application = azure.applications.find(
    (one) => one.tenant === tenant && one.client === form.get('client_id'),
  );
  const grant = form.get('grant_type') === 'client_credentials';
  if (!grant || form.get('scope') !== 'https://vault.azure.net/.default')
    return [400, { error: 'invalid_request' }];
  const password = application?.password !== undefined && form.get('client_secret') === application.password;
  if (!password && !assertionIsGood(azure, application, form, audience))
    return [401, { error: 'invalid_client' }];
  const until = azure.now().getTime() + tokenLifetime * 1000;
  const token = `token-${until}-${randomBytes(16).toString('hex')}`;
  return [
    200,
    { token_type: 'Bearer', expires_in: tokenLifetime, ext_expires_in: tokenLifetime, access_token: token },
  ];
}

/** RFC 7523 §3, and the thumbprint that Azure wants. */
function assertionIsGood(
  azure: AzureServer,
  application: AzureApplication | undefined,
  form: URLSearchParams,
  audience: string,
): boolean {
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
  if (application?.certificate === undefined || form.get('client_assertion_type') !== type) return false;
  const [header = '', payload = '', signature = ''] = (form.get('client_assertion') ?? '').split('.');
  const { publicKey, thumbprint } = application.certificate;
  const signed = verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    createPublicKey(publicKey),
    Buffer.from(signature, 'base64url'),
  );
  const read = (part: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  const { alg, x5t } = read(header);
  const { aud, iss, sub, nbf, exp, jti } = read(payload);
  const now = azure.now().getTime() / 1000;
  return (
    signed &&
    alg === 'RS256' &&
    x5t === Buffer.from(thumbprint, 'hex').toString('base64url') &&
    aud === audience &&
    iss === application.client &&
    sub === application.client &&
    typeof jti === 'string' &&
    Number(nbf) <= now &&
    now < Number(exp)
  );
}
