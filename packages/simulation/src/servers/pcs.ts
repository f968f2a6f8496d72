import { utf8 } from '@ensconce/base/bytes';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { parsePck } from '@ensconce/verify/intel/pck';
import { parsePemCertificates, type Certificate } from '@ensconce/x509/certificate';
import { u16 } from '../integers.ts';
import { badRequest, gone, notFound, type Answer, type Handler } from './answer.ts';

/** What the simulated Intel publishes, freshly or from a cache; undefined for platforms and evaluations that it does not know. */
export interface PcsContent {
  readonly collateral: (request: {
    readonly tee: 'sgx' | 'tdx';
    /** Lower case; undefined where any platform will do. */
    readonly fmspc: string | undefined;
    readonly ca: 'platform' | 'processor';
    /** The standard one without it. */
    readonly evaluationDataNumber?: number | undefined;
  }) => Promise<IntelCollateral | undefined>;
  readonly evaluations: Evaluations;
  /** Identity of an enclave that no quote comes from. */
  readonly enclaveIdentity: (id: 'QVE' | 'QAE', evaluationDataNumber: number) => SignedText;
  readonly evaluationNumbers: (tee: 'sgx' | 'tdx') => SignedText;
  /** PEM chain (leaf, CA, root) of the one platform that `pckcert` serves. */
  readonly pckChain: () => string;
  readonly fmspcs: readonly string[];
}

/** A statement with the signature and the chain of its signer. */
export interface SignedText {
  readonly text: string;
  readonly signature: Uint8Array;
  /** PEM. */
  readonly chain: string;
}

/** Numbers of the evaluations: the newest is `early`, the one that everybody should meet `standard`; withdrawn ones are served no more. */
export interface Evaluations {
  readonly early: number;
  readonly standard: number;
  readonly withdrawn: readonly number[];
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

/** Which evaluation a request asks for: `update` and `tcbEvaluationDataNumber` exclude each other (PCS API v4). */
function evaluationOf({ evaluations }: PcsContent, query: URLSearchParams): number | Answer {
  const update = query.get('update');
  const number = query.get('tcbEvaluationDataNumber');
  if (update !== null && number !== null) return badRequest;
  if (number === null) {
    if (update !== null && update !== 'standard' && update !== 'early') return badRequest;
    return evaluations[update ?? 'standard'];
  }
  if (!/^[0-9]{1,9}$/.test(number)) return badRequest;
  return evaluations.withdrawn.includes(Number(number)) ? gone : Number(number);
}

async function tcb(content: PcsContent, tee: 'sgx' | 'tdx', query: URLSearchParams): Promise<Answer> {
  const fmspc = query.get('fmspc')?.toLowerCase() ?? '';
  if (!/^[0-9a-f]{12}$/.test(fmspc)) return badRequest;
  const evaluationDataNumber = evaluationOf(content, query);
  if (typeof evaluationDataNumber !== 'number') return evaluationDataNumber;
  const found = await content.collateral({ tee, fmspc, ca: 'platform', evaluationDataNumber });
  if (found === undefined) return notFound;
  return json(statement('tcbInfo', found.tcbInfo, found.tcbInfoSignature), {
    'TCB-Info-Issuer-Chain': encoded(found.tcbInfoIssuerChain),
  });
}

const identityHeader = 'SGX-Enclave-Identity-Issuer-Chain';

async function identity(
  content: PcsContent,
  tee: 'sgx' | 'tdx',
  enclave: string,
  query: URLSearchParams,
): Promise<Answer> {
  const evaluationDataNumber = evaluationOf(content, query);
  if (typeof evaluationDataNumber !== 'number') return evaluationDataNumber;
  if (enclave === 'qe') {
    const found = await content.collateral({ tee, fmspc: undefined, ca: 'platform', evaluationDataNumber });
    if (found === undefined) return notFound;
    return json(statement('enclaveIdentity', found.qeIdentity, found.qeIdentitySignature), {
      [identityHeader]: encoded(found.qeIdentityIssuerChain),
    });
  }
  const { early, standard } = content.evaluations;
  if (tee === 'tdx' || (evaluationDataNumber !== early && evaluationDataNumber !== standard)) return notFound;
  const found = content.enclaveIdentity(enclave === 'qve' ? 'QVE' : 'QAE', evaluationDataNumber);
  return json(statement('enclaveIdentity', found.text, found.signature), {
    [identityHeader]: encoded(found.chain),
  });
}

function evaluationNumbers(content: PcsContent, tee: 'sgx' | 'tdx'): Answer {
  const { text, signature, chain } = content.evaluationNumbers(tee);
  return json(statement('tcbEvaluationDataNumbers', text, signature), {
    'TCB-Evaluation-Data-Numbers-Issuer-Chain': encoded(chain),
  });
}

/** The platform that a request names, by sizes alone: only the vendor can read an encrypted PPID. */
function namesPlatform(query: URLSearchParams, names: readonly (keyof typeof platformNames)[]): boolean {
  return names.every((name) => platformNames[name].test(query.get(name) ?? ''));
}

const platformNames = {
  encrypted_ppid: /^(?:[0-9a-fA-F]{512}|[0-9a-fA-F]{768})$/,
  cpusvn: /^[0-9a-fA-F]{32}$/,
  pcesvn: /^[0-9a-fA-F]{4}$/,
  pceid: /^[0-9a-fA-F]{4}$/,
} as const;

function pckCertificate(content: PcsContent, all: boolean, query: URLSearchParams): Answer {
  const wanted = ['encrypted_ppid', 'pceid', ...(all ? [] : (['cpusvn', 'pcesvn'] as const))] as const;
  if (!namesPlatform(query, wanted)) return badRequest;
  const chain = content.pckChain();
  const end = chain.indexOf('-----END CERTIFICATE-----') + '-----END CERTIFICATE-----\n'.length;
  const [leaf] = parsePemCertificates(chain);
  const pck = parsePck(leaf as Certificate);
  const tcbm = `${pck.cpuSvn}${u16(pck.pceSvn).toHex()}`.toUpperCase();
  const headers = {
    'SGX-PCK-Certificate-Issuer-Chain': encodeURIComponent(chain.slice(end)),
    'SGX-PCK-Certificate-CA-Type': pck.ca,
    'SGX-FMSPC': pck.fmspc.toUpperCase(),
  };
  const cert = chain.slice(0, end);
  if (all) {
    const tcb = { sgxtcbcomponents: pck.components.map((svn) => ({ svn })), pcesvn: pck.pceSvn };
    return json(JSON.stringify([{ tcb, tcbm, cert: encodeURIComponent(cert) }]), headers);
  }
  return {
    status: 200,
    headers: { 'Content-Type': 'application/x-pem-file', 'SGX-TCBm': tcbm, ...headers },
    body: utf8(cert),
  };
}

const platforms: ReadonlySet<string> = new Set(['all', 'client', 'E3', 'E5']);

function fmspcs(content: PcsContent, query: URLSearchParams): Answer {
  const platform = query.get('platform') ?? 'all';
  if (!platforms.has(platform)) return badRequest;
  const listed = platform === 'all' || platform === 'E5' ? content.fmspcs : [];
  return json(JSON.stringify(listed.map((fmspc) => ({ fmspc: fmspc.toUpperCase(), platform: 'E5' }))));
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
    const { searchParams: query } = url;
    switch (match[2]) {
      case 'tcb':
        return tcb(content, tee, query);
      case 'qe/identity':
      case 'qve/identity':
      case 'qae/identity':
        return identity(content, tee, match[2].split('/')[0] as string, query);
      case 'tcbevaluationdatanumbers':
        return evaluationNumbers(content, tee);
      default:
        return tee === 'sgx' ? ofSgx(content, match[2] as string, query) : notFound;
    }
  };
}

/** What has no counterpart for TDX. */
async function ofSgx(content: PcsContent, what: string, query: URLSearchParams): Promise<Answer> {
  switch (what) {
    case 'pckcrl':
      return pckCrl(content, query);
    case 'pckcert':
    case 'pckcerts':
      return pckCertificate(content, what === 'pckcerts', query);
    case 'fmspcs':
      return fmspcs(content, query);
    default:
      return notFound;
  }
}
