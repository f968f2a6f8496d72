import { ByteReader, isZero } from '@ensconce/base/bytes';
import { EvidenceError } from '../errors.ts';
import { readTcb, type SnpTcb, type TcbLayout } from './tcb.ts';

export type SnpSigningKey = 'VCEK' | 'VLEK' | 'none';

/** The signed part of an SEV-SNP attestation report (AMD 56860, ATTESTATION_REPORT), versions 2 to 5. Byte strings are views. */
export interface SnpBody {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: bigint;
  readonly familyId: Uint8Array;
  readonly imageId: Uint8Array;
  readonly vmpl: number;
  readonly currentTcb: Uint8Array;
  readonly platformInfo: bigint;
  readonly signingKey: SnpSigningKey;
  readonly authorKeyEnabled: boolean;
  /** The report is not signed then. */
  readonly chipKeyMasked: boolean;
  /** 64 bytes, chosen by whoever asked for the report. */
  readonly reportData: Uint8Array;
  readonly measurement: Uint8Array;
  readonly hostData: Uint8Array;
  readonly idKeyDigest: Uint8Array;
  readonly authorKeyDigest: Uint8Array;
  readonly reportId: Uint8Array;
  readonly reportIdMa: Uint8Array;
  readonly reportedTcb: Uint8Array;
  /** Since version 3. */
  readonly cpuid: { readonly family: number; readonly model: number; readonly stepping: number } | undefined;
  /** 64 bytes; zero where masked or signed by a VLEK; on Turin 8 bytes, then zeros. */
  readonly chipId: Uint8Array;
  readonly committedTcb: Uint8Array;
  readonly currentVersion: FirmwareVersion;
  readonly committedVersion: FirmwareVersion;
  readonly launchTcb: Uint8Array;
  /** Since version 5. */
  readonly mitigations: { readonly launch: bigint; readonly current: bigint } | undefined;
}

export interface FirmwareVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

export const bodySize = 0x2a0;
const ecdsaP384Sha384 = 1;
const signingKeys: readonly SnpSigningKey[] = ['VCEK', 'VLEK'];

function firmwareVersion(reader: ByteReader, name: string): FirmwareVersion {
  const [build, minor, major] = reader.bytes(4, name);
  return { major: major ?? 0, minor: minor ?? 0, build: build ?? 0 };
}

/** Parses exactly 672 attacker-controlled bytes. Reserved bits are left alone: processors newer than this code set them. */
export function parseSnpBody(bytes: Uint8Array): SnpBody {
  const reader = new ByteReader(bytes, 'SNP report');
  const version = reader.u32('version');
  if (version < 2 || version > 5)
    throw new EvidenceError('EVIDENCE_UNSUPPORTED', `SNP report: version 2 to 5 expected, ${version} found`);
  const guestSvn = reader.u32('guest SVN');
  const policy = reader.u64('guest policy');
  const familyId = reader.bytes(16, 'family id');
  const imageId = reader.bytes(16, 'image id');
  const vmpl = reader.u32('VMPL');
  const algorithm = reader.u32('signature algorithm');
  if (algorithm !== ecdsaP384Sha384) {
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      `SNP report: signature algorithm 1 (ECDSA P-384) expected, ${algorithm} found`,
    );
  }
  const currentTcb = reader.bytes(8, 'current TCB');
  const platformInfo = reader.u64('platform info');
  const flags = reader.u32('flags');
  reader.u32('reserved');
  const reportData = reader.bytes(64, 'report data');
  const measurement = reader.bytes(48, 'measurement');
  const hostData = reader.bytes(32, 'host data');
  const idKeyDigest = reader.bytes(48, 'ID key digest');
  const authorKeyDigest = reader.bytes(48, 'author key digest');
  const reportId = reader.bytes(32, 'report id');
  const reportIdMa = reader.bytes(32, 'migration agent report id');
  const reportedTcb = reader.bytes(8, 'reported TCB');
  const [family, model, stepping] = reader.bytes(3, 'CPUID') as unknown as [number, number, number];
  reader.skip(21, 'reserved');
  const chipId = reader.bytes(64, 'chip id');
  const committedTcb = reader.bytes(8, 'committed TCB');
  const currentVersion = firmwareVersion(reader, 'current firmware');
  const committedVersion = firmwareVersion(reader, 'committed firmware');
  const launchTcb = reader.bytes(8, 'launch TCB');
  const launch = reader.u64('launch mitigation vector');
  const current = reader.u64('current mitigation vector');
  reader.bytes(152, 'reserved');
  reader.end();
  return {
    version,
    guestSvn,
    policy,
    familyId,
    imageId,
    vmpl,
    currentTcb,
    platformInfo,
    signingKey: signingKeys[(flags >> 2) & 7] ?? 'none',
    authorKeyEnabled: (flags & 1) === 1,
    chipKeyMasked: ((flags >> 1) & 1) === 1,
    reportData,
    measurement,
    hostData,
    idKeyDigest,
    authorKeyDigest,
    reportId,
    reportIdMa,
    reportedTcb,
    cpuid: version >= 3 ? { family, model, stepping } : undefined,
    chipId,
    committedTcb,
    currentVersion,
    committedVersion,
    launchTcb,
    mitigations: version >= 5 ? { launch, current } : undefined,
  };
}

/** How the TCB versions of a report are laid out; undefined where the report (version 2) does not say. */
export function tcbLayout(body: SnpBody): TcbLayout | undefined {
  if (body.cpuid !== undefined) return body.cpuid.family >= 0x1a ? 'turin' : 'milan';
  return isZero(body.chipId) ? undefined : isZero(body.chipId.subarray(8)) ? 'turin' : 'milan';
}

/** The reported TCB, with the layout of the product named by the certificate where the report is silent. */
export function reportedTcb(body: SnpBody, fallback: TcbLayout): SnpTcb {
  return readTcb(body.reportedTcb, tcbLayout(body) ?? fallback);
}
