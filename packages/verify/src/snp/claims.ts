import type { RevocationList } from '@ensconce/x509/crl';
import { isZero, toHex } from '@ensconce/base/bytes';
import { readTcb, productOf, type SnpTcb } from '@ensconce/evidence/snp/tcb';
import type { FirmwareVersion } from '@ensconce/evidence/snp/body';
import type { SnpReport } from '@ensconce/evidence/snp/quote';
import type { VekChain } from './chain.ts';
import type { VtpmClaims } from '../azure/claims.ts';
import type { CertificateClaims } from '../ra-tls/claims.ts';

export interface SnpClaims {
  readonly tee: 'snp';
  readonly debug: boolean;
  readonly reportVersion: number;
  /** 48 bytes: the launch digest of the guest. */
  readonly measurement: string;
  readonly hostData: string;
  readonly vmpl: number;
  /** 64 bytes. */
  readonly reportData: string;
  readonly guestSvn: number;
  readonly familyId: string;
  readonly imageId: string;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly authorKeyEnabled: boolean;
  readonly reportId: string;
  readonly reportIdMa: string;
  readonly policy: {
    /** As the report has it, hexadecimal. */
    readonly value: string;
    readonly abiMajor: number;
    readonly abiMinor: number;
    readonly smt: boolean;
    readonly migrateMa: boolean;
    readonly singleSocket: boolean;
    readonly cxlAllowed: boolean;
    readonly aes256Xts: boolean;
    readonly raplDisabled: boolean;
    readonly ciphertextHiding: boolean;
    readonly pageSwapDisabled: boolean;
  };
  readonly platformInfo: {
    readonly value: string;
    readonly smtEnabled: boolean;
    readonly tsmeEnabled: boolean;
    readonly eccEnabled: boolean;
    readonly raplDisabled: boolean;
    readonly ciphertextHiding: boolean;
    readonly aliasCheckComplete: boolean;
    readonly tioEnabled: boolean;
  };
  readonly tcb: {
    readonly current: SnpTcb;
    readonly reported: SnpTcb;
    readonly committed: SnpTcb;
    readonly launch: SnpTcb;
  };
  readonly currentFirmware: FirmwareVersion;
  readonly committedFirmware: FirmwareVersion;
  readonly mitigations: { readonly launch: string; readonly current: string } | null;
  readonly product: string;
  /** From CPUID, where the report carries it. */
  readonly cpuid: { readonly family: number; readonly model: number; readonly stepping: number } | null;
  readonly signingKey: 'VCEK' | 'VLEK';
  /** Null where the platform masks it, and with a VLEK. */
  readonly chipId: string | null;
  /** Name of the cloud provider; VLEK only. */
  readonly cspId: string | null;
  /** False where no valid revocation list was given. */
  readonly revocationChecked: boolean;
  /** The newest valid list that was looked into; number in decimal digits, date in ISO 8601. */
  readonly revocationList: {
    readonly issuer: string;
    readonly number: string | null;
    readonly thisUpdate: string;
  } | null;
  /** Azure only. */
  readonly vtpm: VtpmClaims | null;
  /** RA-TLS only. */
  readonly certificate: CertificateClaims | null;
}

const hex64 = (value: bigint): string => value.toString(16).padStart(16, '0');

/** Bits of the guest policy (AMD 56860, GUEST_POLICY). */
function policyClaims(policy: bigint): SnpClaims['policy'] {
  const bit = (index: number): boolean => ((policy >> BigInt(index)) & 1n) === 1n;
  return {
    value: hex64(policy),
    abiMinor: Number(policy & 0xffn),
    abiMajor: Number((policy >> 8n) & 0xffn),
    smt: bit(16),
    migrateMa: bit(18),
    singleSocket: bit(20),
    cxlAllowed: bit(21),
    aes256Xts: bit(22),
    raplDisabled: bit(23),
    ciphertextHiding: bit(24),
    pageSwapDisabled: bit(25),
  };
}

const debugBit = 1n << 19n;

function platformClaims(info: bigint): SnpClaims['platformInfo'] {
  const bit = (index: number): boolean => ((info >> BigInt(index)) & 1n) === 1n;
  return {
    value: hex64(info),
    smtEnabled: bit(0),
    tsmeEnabled: bit(1),
    eccEnabled: bit(2),
    raplDisabled: bit(3),
    ciphertextHiding: bit(4),
    aliasCheckComplete: bit(5),
    tioEnabled: bit(7),
  };
}

export function snpClaims(report: SnpReport, chain: VekChain, list: RevocationList | undefined): SnpClaims {
  const { body } = report;
  const { layout } = chain.vek;
  return {
    tee: 'snp',
    debug: (body.policy & debugBit) !== 0n,
    reportVersion: body.version,
    measurement: toHex(body.measurement),
    hostData: toHex(body.hostData),
    vmpl: body.vmpl,
    reportData: toHex(body.reportData),
    guestSvn: body.guestSvn,
    familyId: toHex(body.familyId),
    imageId: toHex(body.imageId),
    idKeyDigest: toHex(body.idKeyDigest),
    authorKeyDigest: toHex(body.authorKeyDigest),
    authorKeyEnabled: body.authorKeyEnabled,
    reportId: toHex(body.reportId),
    reportIdMa: toHex(body.reportIdMa),
    policy: policyClaims(body.policy),
    platformInfo: platformClaims(body.platformInfo),
    tcb: {
      current: readTcb(body.currentTcb, layout),
      reported: readTcb(body.reportedTcb, layout),
      committed: readTcb(body.committedTcb, layout),
      launch: readTcb(body.launchTcb, layout),
    },
    currentFirmware: body.currentVersion,
    committedFirmware: body.committedVersion,
    mitigations:
      body.mitigations === undefined
        ? null
        : { launch: hex64(body.mitigations.launch), current: hex64(body.mitigations.current) },
    product:
      body.cpuid === undefined
        ? chain.vek.productName
        : (productOf(body.cpuid.family, body.cpuid.model) ?? 'unknown'),
    cpuid: body.cpuid ?? null,
    signingKey: chain.vek.kind,
    chipId: isZero(body.chipId) ? null : toHex(body.chipId),
    cspId: chain.vek.cspId ?? null,
    revocationChecked: list !== undefined,
    revocationList:
      list === undefined
        ? null
        : {
            issuer: list.issuer.commonName,
            number: list.number?.toString() ?? null,
            thisUpdate: new Date(list.thisUpdate).toISOString(),
          },
    vtpm: null,
    certificate: null,
  };
}
