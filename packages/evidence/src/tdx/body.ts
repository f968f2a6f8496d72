import { ByteReader } from '@ensconce/base/bytes';

/** A TD report body (Intel TDX DCAP, `sgx_report2_t` and quote v5). All byte strings are views. */
export interface TdReport {
  /** 16 bytes: [0] module minor SVN, [1] module major, [2] SEAM loader or microcode, … */
  readonly teeTcbSvn: Uint8Array;
  readonly mrSeam: Uint8Array;
  readonly mrSignerSeam: Uint8Array;
  readonly seamAttributes: Uint8Array;
  readonly tdAttributes: Uint8Array;
  readonly xfam: Uint8Array;
  readonly mrTd: Uint8Array;
  readonly mrConfigId: Uint8Array;
  readonly mrOwner: Uint8Array;
  readonly mrOwnerConfig: Uint8Array;
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  /** 64 bytes, chosen by whoever asked for the quote. */
  readonly reportData: Uint8Array;
  /** Since TD 1.5. */
  readonly current: {
    /** TEE_TCB_SVN as it is now; `teeTcbSvn` is that of the launch. */
    readonly teeTcbSvn2: Uint8Array;
    readonly mrServiceTd: Uint8Array;
  } | null;
  /** What the extended body of TD 1.5 adds, as it stands. */
  readonly extended: {
    readonly vmId: number;
    readonly tdId: Uint8Array;
    readonly devInfo: Uint8Array;
    readonly initServtdHash: Uint8Array;
    readonly initServtdAttributes: Uint8Array;
    readonly initCpuSvn: Uint8Array;
    readonly initTeeTcbSvn: Uint8Array;
    readonly initTeeFmspc: Uint8Array;
    readonly currentServtdHash: Uint8Array;
    readonly currentServtdAttributes: Uint8Array;
  } | null;
}

function readCurrent(reader: ByteReader): TdReport['current'] {
  return { teeTcbSvn2: reader.bytes(16, 'TEE_TCB_SVN2'), mrServiceTd: reader.bytes(48, 'MRSERVICETD') };
}

function readExtended(reader: ByteReader): TdReport['extended'] {
  return {
    vmId: reader.u8('VMID'),
    tdId: reader.bytes(32, 'TDID'),
    devInfo: reader.bytes(48, 'DEVINFO'),
    initServtdHash: reader.bytes(48, 'INIT_SERVTD_HASH'),
    initServtdAttributes: reader.bytes(8, 'INIT_SERVTD_ATTR'),
    initCpuSvn: reader.bytes(16, 'INIT_CPUSVN'),
    initTeeTcbSvn: reader.bytes(16, 'INIT_TEE_TCB_SVN'),
    initTeeFmspc: reader.bytes(12, 'INIT_TEE_FMSPC'),
    currentServtdHash: reader.bytes(48, 'CUR_SERVTD_HASH'),
    currentServtdAttributes: reader.bytes(8, 'CUR_SERVTD_ATTR'),
  };
}

/** Parses an attacker-controlled body of 584, 648 or 885 bytes. */
export function parseTdReport(bytes: Uint8Array): TdReport {
  const reader = new ByteReader(bytes, 'TD report');
  const fixed = {
    teeTcbSvn: reader.bytes(16, 'TEE_TCB_SVN'),
    mrSeam: reader.bytes(48, 'MRSEAM'),
    mrSignerSeam: reader.bytes(48, 'MRSIGNERSEAM'),
    seamAttributes: reader.bytes(8, 'SEAMATTRIBUTES'),
    tdAttributes: reader.bytes(8, 'TDATTRIBUTES'),
    xfam: reader.bytes(8, 'XFAM'),
    mrTd: reader.bytes(48, 'MRTD'),
    mrConfigId: reader.bytes(48, 'MRCONFIGID'),
    mrOwner: reader.bytes(48, 'MROWNER'),
    mrOwnerConfig: reader.bytes(48, 'MROWNERCONFIG'),
    rtmrs: [
      reader.bytes(48, 'RTMR0'),
      reader.bytes(48, 'RTMR1'),
      reader.bytes(48, 'RTMR2'),
      reader.bytes(48, 'RTMR3'),
    ] as const,
    reportData: reader.bytes(64, 'REPORTDATA'),
  };
  const current = reader.remaining > 0 ? readCurrent(reader) : null;
  const extended = reader.remaining > 0 ? readExtended(reader) : null;
  reader.end();
  return { ...fixed, current, extended };
}
