import { fromUtf8 } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { parseRevocationList } from '@ensconce/x509/crl';
import { pemBlocks } from '@ensconce/x509/pem';
import { splitSigned, type StatementName } from '@ensconce/verify/intel/signed-statement';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import type { RequiredIntelCollateral } from '@ensconce/verify/intel/required';
import { CollateralError } from './errors.ts';
import type { CollateralCache, Lifetime } from './cache.ts';
import type { Stored } from './disk.ts';

export interface IntelSource {
  /** `https://api.trustedservices.intel.com`, or a PCCS. */
  readonly base: string;
  /** The root CA's list: Intel serves it elsewhere than the rest; a PCCS under `/rootcacrl`. */
  readonly rootCrl: string;
  /** Which evaluation of the TCBs: `standard`, which platforms have had time to meet, without it. */
  readonly update?: 'standard' | 'early' | undefined;
}

export const intelPcs: IntelSource = {
  base: 'https://api.trustedservices.intel.com',
  rootCrl: 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
};

/** A PCCS serves all of it, the root CA's list as hexadecimal text. */
export function pccsSource(base: string): IntelSource {
  const trimmed = base.replace(/\/+$/, '');
  return { base: trimmed, rootCrl: `${trimmed}/sgx/certification/v4/rootcacrl` };
}

const hour = 3_600_000;

function crlBytes(entry: Stored): Uint8Array {
  if (entry.body[0] === 0x30) return entry.body;
  const text = fromUtf8(entry.body).trim();
  if (/^(?:[0-9a-fA-F]{2})+$/.test(text)) return Uint8Array.fromHex(text);
  const [block] = pemBlocks(text, 'X509 CRL', 1);
  if (block === undefined)
    throw new CollateralError(
      'COLLATERAL_RESPONSE',
      `${entry.url}: a revocation list expected, something else found`,
    );
  return block;
}

/** Expired, or unreadable: never usable. */
function guarded(read: (entry: Stored) => number): (entry: Stored) => number {
  return (entry) => {
    try {
      return read(entry);
    } catch (error) {
      if (error instanceof EnsconceError || error instanceof SyntaxError || error instanceof TypeError)
        return 0;
      throw error;
    }
  };
}

const crlLifetime: Lifetime = {
  fresh: 6 * hour,
  validUntil: guarded((entry) => parseRevocationList(crlBytes(entry)).nextUpdate ?? 0),
};

const statementLifetime = (name: StatementName): Lifetime => ({
  fresh: 6 * hour,
  validUntil: guarded((entry) => {
    const body = JSON.parse(splitSigned(fromUtf8(entry.body), name).text) as { nextUpdate?: unknown };
    return typeof body.nextUpdate === 'string' ? Date.parse(body.nextUpdate) : 0;
  }),
});

/** The chain in a header is URL-encoded PEM. */
function chainOf(entry: Stored, ...names: readonly string[]): string {
  const value = names.map((name) => entry.headers[name]).find((one) => one !== undefined);
  try {
    if (value !== undefined) return decodeURIComponent(value);
  } catch (cause) {
    throw new CollateralError(
      'COLLATERAL_RESPONSE',
      `${entry.url}: URL-encoded PEM expected in ${names[0]}`,
      { cause },
    );
  }
  throw new CollateralError('COLLATERAL_RESPONSE', `${entry.url}: a header ${names[0]} expected, none found`);
}

/** How long each kind of answer may be used. */
export const intelLifetimes: Readonly<Record<'tcb' | 'identity' | 'crl' | 'root', Lifetime>> = {
  tcb: statementLifetime('tcbInfo'),
  identity: statementLifetime('enclaveIdentity'),
  crl: crlLifetime,
  root: crlLifetime,
};

/** Addresses of everything that judging a quote of one kind of platform takes (PCS API v4). */
export function intelUrls(
  source: IntelSource,
  required: RequiredIntelCollateral,
): Record<'tcb' | 'identity' | 'crl' | 'root', string> {
  const tee = `${source.base}/${required.tee}/certification/v4`;
  const { update } = source;
  return {
    tcb: `${tee}/tcb?fmspc=${required.fmspc.toUpperCase()}${update === undefined ? '' : `&update=${update}`}`,
    identity: `${tee}/qe/identity${update === undefined ? '' : `?update=${update}`}`,
    crl: `${source.base}/sgx/certification/v4/pckcrl?ca=${required.ca}&encoding=der`,
    root: source.rootCrl,
  };
}

/** Fetches, or recalls, all collateral for one kind of platform. Nothing of it is verified here. */
export async function fetchIntelCollateral(
  cache: CollateralCache,
  source: IntelSource,
  required: RequiredIntelCollateral,
): Promise<IntelCollateral> {
  const urls = intelUrls(source, required);
  const [tcb, identity, crl, root] = await Promise.all([
    cache.get(urls.tcb, intelLifetimes.tcb),
    cache.get(urls.identity, intelLifetimes.identity),
    cache.get(urls.crl, intelLifetimes.crl),
    cache.get(urls.root, intelLifetimes.root),
  ]);
  const tcbInfo = splitSigned(fromUtf8(tcb.body), 'tcbInfo');
  const qeIdentity = splitSigned(fromUtf8(identity.body), 'enclaveIdentity');
  return {
    pckCrlIssuerChain: chainOf(crl, 'sgx-pck-crl-issuer-chain'),
    rootCaCrl: crlBytes(root),
    pckCrl: crlBytes(crl),
    tcbInfoIssuerChain: chainOf(tcb, 'tcb-info-issuer-chain', 'sgx-tcb-info-issuer-chain'),
    tcbInfo: tcbInfo.text,
    tcbInfoSignature: tcbInfo.signature,
    qeIdentityIssuerChain: chainOf(identity, 'sgx-enclave-identity-issuer-chain'),
    qeIdentity: qeIdentity.text,
    qeIdentitySignature: qeIdentity.signature,
  };
}
