import { utf8 } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { intelLifetimes, intelUrls, type IntelSource } from './intel.ts';
import { CollateralError } from './errors.ts';
import type { CollateralCache } from './cache.ts';
import type { RequiredIntelCollateral } from '@ensconce/verify/intel/required';

/** An answer in the form of Intel's PCCS, for any HTTP server to send. */
export interface PccsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const notFound: PccsAnswer = { status: 404, headers: {}, body: utf8('No cache data for this platform.') };
const headerNames = {
  tcb: 'TCB-Info-Issuer-Chain',
  identity: 'SGX-Enclave-Identity-Issuer-Chain',
  crl: 'SGX-PCK-CRL-Issuer-Chain',
};

interface Asked {
  readonly what: 'tcb' | 'identity' | 'crl' | 'root';
  readonly required: RequiredIntelCollateral;
  readonly update: IntelSource['update'];
}

/** Which collateral a path asks for; undefined for paths that a PCCS without platform registration does not serve. */
function parsePath(path: string): Asked | undefined {
  const url = new URL(path, 'http://pccs.invalid');
  const match = /^\/(sgx|tdx)\/certification\/v4\/(tcb|qe\/identity|pckcrl|rootcacrl)$/.exec(url.pathname);
  if (match === null) return undefined;
  const tee = match[1] as 'sgx' | 'tdx';
  const fmspc = (url.searchParams.get('fmspc') ?? '').toLowerCase();
  const ca = url.searchParams.get('ca') === 'processor' ? 'processor' : 'platform';
  const what = ({ tcb: 'tcb', 'qe/identity': 'identity', pckcrl: 'crl', rootcacrl: 'root' } as const)[
    match[2] as 'tcb' | 'qe/identity' | 'pckcrl' | 'rootcacrl'
  ];
  if (what === 'tcb' && !/^[0-9a-f]{12}$/.test(fmspc)) return undefined;
  const update = url.searchParams.get('update') ?? undefined;
  if (update !== undefined && update !== 'standard' && update !== 'early') return undefined;
  // Evaluations by their number are not kept.
  if (url.searchParams.has('tcbEvaluationDataNumber')) return undefined;
  return { what, required: { tee, fmspc, ca }, update };
}

/** Serves the cache to the node in the form of a PCCS, fetching what is missing. `path` is attacker-controlled. */
export async function answerPccs(
  cache: CollateralCache,
  source: IntelSource,
  path: string,
): Promise<PccsAnswer> {
  const asked = parsePath(path);
  if (asked === undefined) return notFound;
  const url = intelUrls({ ...source, update: asked.update }, asked.required)[asked.what];
  try {
    const entry = await cache.get(url, intelLifetimes[asked.what]);
    if (asked.what === 'root') {
      const text = entry.body[0] === 0x30 ? entry.body.toHex() : new TextDecoder().decode(entry.body).trim();
      return { status: 200, headers: { 'Content-Type': 'text/plain' }, body: utf8(text) };
    }
    const name = headerNames[asked.what];
    const chain = entry.headers[name.toLowerCase()];
    const type = asked.what === 'crl' ? 'application/pkix-crl' : 'application/json';
    return {
      status: 200,
      headers: { 'Content-Type': type, ...(chain === undefined ? {} : { [name]: chain }) },
      body: entry.body,
    };
  } catch (error) {
    if (!(error instanceof EnsconceError)) throw error;
    const unknown = error instanceof CollateralError && error.code === 'COLLATERAL_UNKNOWN';
    return unknown
      ? notFound
      : { status: 503, headers: { 'Retry-After': '30' }, body: utf8('Collateral cannot be fetched.') };
  }
}
