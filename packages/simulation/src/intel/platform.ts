import { createHash, randomBytes } from 'node:crypto';
import { concatBytes, fromHex, toHex, utf8 } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import { generateEcKey, keyFromPem, keyToPem, pointOf, signRaw, type SimulatedKey } from '../key.ts';
import {
  issueCertificate,
  loadIdentity,
  storeIdentity,
  type Identity,
  type StoredIdentity,
} from '../authority.ts';
import { encodeSgxExtension } from './sgx-extension.ts';
import { encodeEnclaveReport, type EnclaveReportFields } from '../sgx/body.ts';
import type { IntelAuthority } from './authority.ts';

/** What the simulated silicon says about itself. Byte strings are hexadecimal. */
export interface PlatformSpec {
  readonly ca: 'platform' | 'processor';
  readonly ppid: string;
  readonly platformInstanceId: string;
  readonly fmspc: string;
  readonly pceId: string;
  readonly components: readonly number[];
  readonly pceSvn: number;
  readonly qeIsvSvn: number;
  /** 16 bytes; [0] and [1] are the TDX module's minor and major version. */
  readonly teeTcbSvn: readonly number[];
  readonly smtEnabled: boolean;
}

/** A simulated machine: its PCK certificate, and its quoting enclave with an attestation key that the PCK vouches for. */
export interface SimulatedPlatform {
  readonly spec: PlatformSpec;
  readonly pck: Identity;
  readonly attestationKey: SimulatedKey;
  readonly qeId: Uint8Array;
  /** PEM: leaf, CA, root and a NUL, as quotes carry it. */
  readonly chain: Uint8Array;
  /** The same certificates one by one, PEM. */
  readonly chainParts: readonly Uint8Array[];
  /** x‖y of the attestation key. */
  readonly attestationPoint: Uint8Array;
  /** QE report, its signature and authentication data, as they stand in every quote. */
  readonly qeReport: Uint8Array;
  readonly qeReportSignature: Uint8Array;
  readonly qeAuthenticationData: Uint8Array;
}

export interface StoredPlatform {
  readonly spec: PlatformSpec;
  readonly pck: StoredIdentity;
  readonly attestationKey: string;
  readonly qeId: string;
}

/** ASCII "SIMULA": the FMSPC of no real platform. */
export const simulatedFmspc = '53494d554c41';

export const defaultPlatform: Omit<PlatformSpec, 'ppid' | 'platformInstanceId'> = {
  ca: 'platform',
  fmspc: simulatedFmspc,
  pceId: '0000',
  components: Array.from({ length: 16 }, (_, i) => (i < 10 ? 8 : 0)),
  pceSvn: 13,
  qeIsvSvn: 8,
  teeTcbSvn: Array.from({ length: 16 }, (_, i) => [5, 1, 6][i] ?? 0),
  smtEnabled: true,
};

const sha256 = (bytes: Uint8Array | string): Uint8Array => createHash('sha256').update(bytes).digest();

/** MRSIGNER of the simulated quoting enclave, by which the QE identity knows it. */
export const qeSigner = sha256('SIMULATED quoting enclave signer');
const qeEnclave = sha256('SIMULATED quoting enclave');
export const qeProductId = 1;
const qeAuthenticationData = Uint8Array.from({ length: 32 }, (_, i) => i);
/** INIT, MODE64BIT, PROVISIONKEY; XFRM as Intel's quoting enclave has it. */
export const qeAttributes = fromHex('1500000000000000e700000000000000');

/** What is wrong with the quoting enclave: it is another than the vendor's. */
export type QeFaults = Partial<
  Pick<EnclaveReportFields, 'mrSigner' | 'isvProdId' | 'attributes' | 'miscSelect'>
>;

function assemble(
  authority: IntelAuthority,
  spec: PlatformSpec,
  pck: Identity,
  attestationKey: SimulatedKey,
  qeId: Uint8Array,
  qe: QeFaults = {},
): SimulatedPlatform {
  const attestationPoint = pointOf(attestationKey);
  const binding = sha256(concatBytes(attestationPoint, qeAuthenticationData));
  const qeReport = encodeEnclaveReport({
    mrEnclave: qeEnclave,
    mrSigner: qeSigner,
    isvProdId: qeProductId,
    isvSvn: spec.qeIsvSvn,
    attributes: qeAttributes,
    cpuSvn: Uint8Array.from(spec.components),
    reportData: concatBytes(binding, new Uint8Array(32)),
    ...qe,
  });
  const chain = [pck, authority.pckCa[spec.ca], authority.root].map((one) =>
    pemEncode(one.certificate, 'CERTIFICATE'),
  );
  return {
    spec,
    pck,
    attestationKey,
    qeId,
    chain: utf8(`${chain.join('')}\0`),
    chainParts: chain.map((pem) => utf8(pem)),
    attestationPoint,
    qeReport,
    qeReportSignature: signRaw(pck.key, 'sha256', qeReport),
    qeAuthenticationData,
  };
}

/** Makes a new simulated machine and certifies it. */
export async function makePlatform(
  authority: IntelAuthority,
  now: Date,
  spec: Partial<PlatformSpec> = {},
  qe: QeFaults = {},
): Promise<SimulatedPlatform> {
  const full: PlatformSpec = {
    ...defaultPlatform,
    ppid: toHex(randomBytes(16)),
    platformInstanceId: toHex(randomBytes(16)),
    ...spec,
  };
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(now.getUTCFullYear() + 7);
  const pck = await issueCertificate(
    {
      name: 'CN=SIMULATED SGX PCK Certificate,O=SIMULATED Intel of this installation,C=XX',
      key: generateEcKey('P-256'),
      notBefore: new Date(now.getTime() - 3_600_000),
      notAfter,
      isAuthority: false,
      extensions: [{ oid: '1.2.840.113741.1.13.1', value: encodeSgxExtension(full) }],
    },
    authority.pckCa[full.ca],
  );
  return assemble(authority, full, pck, generateEcKey('P-256'), randomBytes(16), qe);
}

export function storePlatform(platform: SimulatedPlatform): StoredPlatform {
  return {
    spec: platform.spec,
    pck: storeIdentity(platform.pck),
    attestationKey: keyToPem(platform.attestationKey),
    qeId: toHex(platform.qeId),
  };
}

export function loadPlatform(authority: IntelAuthority, stored: StoredPlatform): SimulatedPlatform {
  return assemble(
    authority,
    stored.spec,
    loadIdentity(stored.pck),
    keyFromPem(stored.attestationKey),
    fromHex(stored.qeId, 16),
  );
}
