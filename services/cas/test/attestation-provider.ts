import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { X509CertificateGenerator } from '@peculiar/x509';
import { SignJWT, type JWTPayload } from 'jose';
import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import type { SendRequest } from '../src/evidence/maa-client.ts';

export interface AttestationProvider {
  /** What sessions name; requests to it go to a server of this process. */
  readonly url: string;
  /** PEM. */
  readonly certificate: string;
  readonly request: SendRequest;
  /** Changes what it says of an enclave, or how it answers. */
  answer: { claims?: JWTPayload; expires?: string; issuer?: string; status?: number; token?: string };
  /** Done before it answers. */
  before?: () => Promise<unknown>;
  /** Paths that were asked for. */
  readonly asked: string[];
}

const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: Uint8Array.of(1, 0, 1) };

/** A provider that speaks the protocol of Microsoft Azure Attestation and believes every quote. */
export async function attestationProvider(t: TestContext, bits = 2048): Promise<AttestationProvider> {
  const keys = await webcrypto.subtle.generateKey({ ...algorithm, modulusLength: bits }, true, [
    'sign',
    'verify',
  ]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=attestation provider',
    keys,
    signingAlgorithm: algorithm,
  });
  const url = 'https://provider.test';
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      provider.asked.push(request.url ?? '');
      const { quote } = JSON.parse(Buffer.concat(parts).toString()) as { quote: string };
      const { answer } = provider;
      const send = async (): Promise<void> => {
        await provider.before?.();
        const made = answer.token ?? (await token(Buffer.from(quote, 'base64url'), answer));
        response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ token: made }));
      };
      void send();
    });
  });
  const token = (
    quote: Uint8Array,
    { claims, expires, issuer }: AttestationProvider['answer'],
  ): Promise<string> => {
    const { report } = parseSgxQuote(quote);
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    return new SignJWT({
      'x-ms-ver': '1.0',
      'x-ms-attestation-type': 'sgx',
      'x-ms-policy-hash': 'x',
      'x-ms-sgx-mrenclave': hex(report.mrEnclave),
      'x-ms-sgx-mrsigner': hex(report.mrSigner),
      'x-ms-sgx-product-id': report.isvProdId,
      'x-ms-sgx-svn': report.isvSvn,
      'x-ms-sgx-is-debuggable': false,
      'x-ms-sgx-report-data': hex(report.reportData),
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256', jku: 'https://evil.test/certs', kid: 'k', typ: 'JWT' })
      .setIssuer(issuer ?? url)
      .setIssuedAt()
      .setExpirationTime(expires ?? '8h')
      .sign(keys.privateKey);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const provider: AttestationProvider = {
    url,
    certificate: certificate.toString('pem'),
    request: (target, init) => fetch(target.replace(url, `http://127.0.0.1:${port}`), init),
    answer: {},
    asked: [],
  };
  return provider;
}
