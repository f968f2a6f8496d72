import { utf8 } from '@ensconce/base/bytes';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { badRequest, notFound, type Answer, type Handler } from './answer.ts';

/** What the simulated Intel publishes, freshly or from a cache; undefined for platforms that it does not know. */
export interface PcsContent {
  readonly collateral: (request: {
    readonly tee: 'sgx' | 'tdx';
    /** Lower case; undefined where any platform will do. */
    readonly fmspc: string | undefined;
    readonly ca: 'platform' | 'processor';
  }) => Promise<IntelCollateral | undefined>;
  /** PEM chain (leaf, CA, root) of the one platform that `pckcert` serves. */
  readonly pckChain: () => string;
  readonly fmspcs: readonly string[];
}

const json = (body: string, headers: Record<string, string> = {}): Answer => ({
  status: 200,
  headers: { 'Content-Type': 'application/json', 'Request-ID': 'simulated', ...headers },
  body: utf8(body),
});

const encoded = (chain: string | undefined): string => encodeURIComponent(chain ?? '');

const statement = (name: string, text: string | undefined, signature: Uint8Array | undefined): string =>
  `{"${name}":${text ?? '{}'},"signature":"${signature?.toHex() ?? ''}"}`;

async function pckCrl(content: PcsContent, query: URLSearchParams): Promise<Answer> {
  const ca = query.get('ca');
  if (ca !== 'platform' && ca !== 'processor') return badRequest;
  const found = await content.collateral({ tee: 'sgx', fmspc: undefined, ca });
  if (found?.pckCrl === undefined) return notFound;
  const headers = { 'SGX-PCK-CRL-Issuer-Chain': encoded(found.pckCrlIssuerChain) };
  if (query.get('encoding') === 'der')
    return {
      status: 200,
      headers: { 'Content-Type': 'application/pkix-crl', ...headers },
      body: found.pckCrl,
    };
  const lines = found.pckCrl.toBase64().match(/.{1,64}/g) ?? [];
  const pem = `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`;
  return { status: 200, headers: { 'Content-Type': 'application/x-pem-file', ...headers }, body: utf8(pem) };
}

async function tcb(content: PcsContent, tee: 'sgx' | 'tdx', query: URLSearchParams): Promise<Answer> {
  const fmspc = query.get('fmspc')?.toLowerCase() ?? '';
  if (!/^[0-9a-f]{12}$/.test(fmspc)) return badRequest;
  const found = await content.collateral({ tee, fmspc, ca: 'platform' });
  if (found === undefined) return notFound;
  return json(statement('tcbInfo', found.tcbInfo, found.tcbInfoSignature), {
    'TCB-Info-Issuer-Chain': encoded(found.tcbInfoIssuerChain),
  });
}

async function identity(content: PcsContent, tee: 'sgx' | 'tdx'): Promise<Answer> {
  const found = await content.collateral({ tee, fmspc: undefined, ca: 'platform' });
  if (found === undefined) return notFound;
  return json(statement('enclaveIdentity', found.qeIdentity, found.qeIdentitySignature), {
    'SGX-Enclave-Identity-Issuer-Chain': encoded(found.qeIdentityIssuerChain),
  });
}

function pckCertificate(content: PcsContent): Answer {
  const chain = content.pckChain();
  const end = chain.indexOf('-----END CERTIFICATE-----') + '-----END CERTIFICATE-----\n'.length;
  return {
    status: 200,
    headers: {
      'Content-Type': 'application/x-pem-file',
      'SGX-PCK-Certificate-Issuer-Chain': encodeURIComponent(chain.slice(end)),
      'SGX-PCK-Certificate-CA-Type': 'platform',
    },
    body: utf8(chain.slice(0, end)),
  };
}

/**
 * Intel's Provisioning Certification Service (API v4) and the root CA's revocation list, with the genuine paths and headers, from a simulated vendor.
 */
export function pcsHandler(content: PcsContent): Handler {
  return async (path) => {
    const url = new URL(path, 'http://simulated.invalid');
    if (url.pathname === '/IntelSGXRootCA.der' || url.pathname === '/sgx/certification/v4/rootcacrl') {
      const found = await content.collateral({ tee: 'sgx', fmspc: undefined, ca: 'platform' });
      if (found?.rootCaCrl === undefined) return notFound;
      return url.pathname.endsWith('.der')
        ? { status: 200, headers: { 'Content-Type': 'application/pkix-crl' }, body: found.rootCaCrl }
        : { status: 200, headers: { 'Content-Type': 'text/plain' }, body: utf8(found.rootCaCrl.toHex()) };
    }
    const match = /^\/(sgx|tdx)\/certification\/v4\/([a-z/]+)$/.exec(url.pathname);
    if (match === null) return notFound;
    const tee = match[1] as 'sgx' | 'tdx';
    switch (match[2]) {
      case 'tcb':
        return tcb(content, tee, url.searchParams);
      case 'qe/identity':
        return identity(content, tee);
      case 'pckcrl':
        return tee === 'sgx' ? pckCrl(content, url.searchParams) : notFound;
      case 'pckcert':
        return tee === 'sgx' ? pckCertificate(content) : notFound;
      case 'fmspcs':
        return json(
          JSON.stringify(content.fmspcs.map((fmspc) => ({ fmspc: fmspc.toUpperCase(), platform: 'E5' }))),
        );
      default:
        return notFound;
    }
  };
}
