import { randomBytes } from 'node:crypto';
import { concatBytes, fromHex } from '@ensconce/base/bytes';
import { bodySizes, type BodyKind } from '@ensconce/evidence/intel/body';
import { ecdsaP256, intelQeVendorId, teeTypes } from '@ensconce/evidence/intel/header';
import { generateEcKey, pointOf, signRaw, type SimulatedKey } from '../key.ts';
import { u16, u32 } from '../integers.ts';
import type { SimulatedPlatform } from './platform.ts';

/** What is wrong with a quote; every field breaks one thing that a verifier must notice. */
export interface QuoteFaults {
  /** The signature is by another key. */
  readonly wrongQuoteSignature?: boolean;
  /** The attestation key is not the one that the QE report vouches for. */
  readonly unboundKey?: boolean;
  readonly wrongQeReportSignature?: boolean;
  /** The PCK chain of this platform instead of the right one. */
  readonly chainOf?: SimulatedPlatform;
  /** Certificates as leaf, root, CA: not a fault, real quotes have it. */
  readonly shuffledChain?: boolean;
  /** Zero bytes behind the end. */
  readonly padding?: number;
  /** Bytes cut off the end. */
  readonly cut?: number;
  /** How the platform's certificate is named: by PPID, plain (1) or encrypted (2, 3), by the leaf (4) or by the chain (5, the default). 7 no verifier takes. */
  readonly certificationType?: 1 | 2 | 3 | 4 | 5 | 7;
}

const bodyTypes: Readonly<Record<BodyKind, number>> = {
  sgx: 1,
  'td-1.0': 2,
  'td-1.5': 3,
  'td-1.5-extended': 4,
};

function header(platform: SimulatedPlatform, version: number, tee: number): Uint8Array {
  return concatBytes(
    u16(version),
    u16(ecdsaP256),
    u32(tee),
    u16(version === 3 ? platform.spec.qeIsvSvn : 0),
    u16(version === 3 ? platform.spec.pceSvn : 0),
    fromHex(intelQeVendorId),
    platform.qeId,
    new Uint8Array(4),
  );
}

/** The certificate by the platform's TCB; an encrypted PPID looks random to everybody but Intel's provisioning service. */
function byTcb({ spec }: SimulatedPlatform, ppid: Uint8Array): Uint8Array {
  return concatBytes(ppid, Uint8Array.from(spec.components), u16(spec.pceSvn), fromHex(spec.pceId, 2));
}

function certification(platform: SimulatedPlatform, faults: QuoteFaults): Uint8Array {
  const source = faults.chainOf ?? platform;
  const type = faults.certificationType ?? 5;
  const [leaf = new Uint8Array(), ca = new Uint8Array(), root = new Uint8Array()] = source.chainParts;
  const data = {
    1: () => byTcb(platform, fromHex(platform.spec.ppid, 16)),
    2: () => byTcb(platform, randomBytes(256)),
    3: () => byTcb(platform, randomBytes(384)),
    4: () => leaf,
    5: () => (faults.shuffledChain === true ? concatBytes(leaf, root, ca) : source.chain),
    7: () => randomBytes(256),
  }[type]();
  return concatBytes(u16(type), u32(data.length), data);
}

function authentication(
  platform: SimulatedPlatform,
  version: number,
  signed: Uint8Array,
  faults: QuoteFaults,
): Uint8Array {
  const other = lazyKey();
  const signature = signRaw(
    faults.wrongQuoteSignature === true ? other() : platform.attestationKey,
    'sha256',
    signed,
  );
  const key = faults.unboundKey === true ? other() : platform.attestationKey;
  const qe = concatBytes(
    platform.qeReport,
    faults.wrongQeReportSignature === true
      ? signRaw(other(), 'sha256', platform.qeReport)
      : platform.qeReportSignature,
    u16(platform.qeAuthenticationData.length),
    platform.qeAuthenticationData,
    certification(platform, faults),
  );
  const start = concatBytes(
    faults.unboundKey === true ? signRaw(key, 'sha256', signed) : signature,
    key === platform.attestationKey ? platform.attestationPoint : pointOf(key),
  );
  return version === 3 ? concatBytes(start, qe) : concatBytes(start, u16(6), u32(qe.length), qe);
}

/** A key that nobody vouches for, made only where a fault wants it. */
function lazyKey(): () => SimulatedKey {
  let key: SimulatedKey | undefined;
  return () => (key ??= generateEcKey('P-256'));
}

/** Wraps a body into a quote by the platform's quoting enclave. */
export function encodeQuote(
  platform: SimulatedPlatform,
  version: 3 | 4 | 5,
  kind: BodyKind,
  body: Uint8Array,
  faults: QuoteFaults = {},
): Uint8Array {
  if (body.length !== bodySizes[kind]) throw new RangeError(`a body of ${bodySizes[kind]} bytes expected`);
  const descriptor = version === 5 ? concatBytes(u16(bodyTypes[kind]), u32(body.length)) : new Uint8Array();
  const signed = concatBytes(
    header(platform, version, kind === 'sgx' ? teeTypes.sgx : teeTypes.tdx),
    descriptor,
    body,
  );
  const data = authentication(platform, version, signed, faults);
  const quote = concatBytes(signed, u32(data.length), data, new Uint8Array(faults.padding ?? 0));
  return quote.subarray(0, quote.length - (faults.cut ?? 0));
}
