import type { FirmwareVersion } from '@ensconce/evidence/snp/body';
import type { SnpTcb } from '@ensconce/evidence/snp/tcb';
import type { AmdProduct } from '../amd/authority.ts';
import type { SimulatedChip } from '../amd/chip.ts';

/** What the simulated secure processor reports of a guest. Every byte string that is left out is zero. */
export interface SnpReportFields {
  readonly version?: 2 | 3 | 4 | 5;
  /** 48 bytes. */
  readonly measurement?: Uint8Array;
  /** 32 bytes. */
  readonly hostData?: Uint8Array;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  readonly vmpl?: number;
  readonly guestSvn?: number;
  readonly debug?: boolean;
  readonly migrateMa?: boolean;
  /** The chip's certified TCB without them. */
  readonly reportedTcb?: SnpTcb;
  readonly committedTcb?: SnpTcb;
  readonly currentTcb?: SnpTcb;
  readonly maskChipId?: boolean;
  readonly launchTcb?: SnpTcb;
  readonly currentFirmware?: FirmwareVersion;
  readonly committedFirmware?: FirmwareVersion;
  /** As the report has it; SMT, ECC and a finished check for aliases without it. */
  readonly platformInfo?: bigint;
  /** 48 bytes each. */
  readonly idKeyDigest?: Uint8Array;
  readonly authorKeyDigest?: Uint8Array;
  /** What the processor says it is, where it is not its product's. */
  readonly cpuid?: readonly [family: number, model: number, stepping: number];
  /** The kind of key that the report names, where it is not the chip's. */
  readonly signingKey?: 'VCEK' | 'VLEK' | 'none';
}

const signingKeys = { VCEK: 0, VLEK: 1, none: 7 } as const;
const firmware: FirmwareVersion = { major: 1, minor: 55, build: 29 };

const cpuid: Readonly<Record<AmdProduct, readonly [number, number, number]>> = {
  Milan: [0x19, 0x01, 0x01],
  Genoa: [0x19, 0x11, 0x01],
  Turin: [0x1a, 0x02, 0x01],
};

export function encodeTcb(tcb: SnpTcb, product: AmdProduct): Uint8Array {
  return product === 'Turin'
    ? Uint8Array.of(tcb.fmc ?? 0, tcb.bootloader, tcb.tee, tcb.snp, 0, 0, 0, tcb.microcode)
    : Uint8Array.of(tcb.bootloader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode);
}

function put(report: Uint8Array, offset: number, bytes: Uint8Array | undefined, length: number): void {
  if (bytes === undefined) return;
  if (bytes.length !== length)
    throw new RangeError(`offset ${offset}: ${length} bytes expected, ${bytes.length} found`);
  report.set(bytes, offset);
}

function putVersion(report: Uint8Array, offset: number, { build, minor, major } = firmware): void {
  report.set([build, minor, major, 0], offset);
}

/** Writes the 672 signed bytes of an attestation report (AMD 56860, ATTESTATION_REPORT). */
export function encodeSnpBody(chip: SimulatedChip, fields: SnpReportFields): Uint8Array {
  const version = fields.version ?? 3;
  const body = new Uint8Array(0x2a0);
  const view = new DataView(body.buffer);
  const tcb = (value: SnpTcb | undefined): Uint8Array => encodeTcb(value ?? chip.tcb, chip.product);
  view.setUint32(0, version, true);
  view.setUint32(4, fields.guestSvn ?? 0, true);
  const policy =
    0x3001fn | (fields.debug === true ? 1n << 19n : 0n) | (fields.migrateMa === true ? 1n << 18n : 0n);
  view.setBigUint64(8, policy, true);
  view.setUint32(0x30, fields.vmpl ?? 0, true);
  view.setUint32(0x34, 1, true);
  put(body, 0x38, tcb(fields.currentTcb), 8);
  view.setBigUint64(0x40, fields.platformInfo ?? 0x25n, true);
  const authored = fields.authorKeyDigest === undefined ? 0 : 1;
  view.setUint32(0x48, authored | (signingKeys[fields.signingKey ?? chip.kind] << 2), true);
  put(body, 0x50, fields.reportData, 64);
  put(body, 0x90, fields.measurement, 48);
  put(body, 0xc0, fields.hostData, 32);
  put(body, 0xe0, fields.idKeyDigest, 48);
  put(body, 0x110, fields.authorKeyDigest, 48);
  body.fill(0xff, 0x160, 0x180);
  put(body, 0x180, tcb(fields.reportedTcb), 8);
  if (version >= 3) body.set(fields.cpuid ?? cpuid[chip.product], 0x188);
  if (chip.kind === 'VCEK' && fields.maskChipId !== true) body.set(chip.hwId, 0x1a0);
  put(body, 0x1e0, tcb(fields.committedTcb), 8);
  putVersion(body, 0x1e8, fields.currentFirmware);
  putVersion(body, 0x1ec, fields.committedFirmware);
  put(body, 0x1f0, tcb(fields.launchTcb ?? fields.currentTcb), 8);
  if (version >= 5) {
    view.setBigUint64(0x1f8, 1n, true);
    view.setBigUint64(0x200, 3n, true);
  }
  return body;
}
