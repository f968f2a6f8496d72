import { concatBytes, fromHex } from '@ensconce/base/bytes';
import { bodySizes, type BodyKind } from '@ensconce/evidence/intel/body';

/** What the simulated TDX module reports of a TD. Every byte string that is left out is zero. */
export interface TdReportFields {
  readonly kind?: Exclude<BodyKind, 'sgx'>;
  /** 48 bytes each. */
  readonly mrtd?: Uint8Array;
  readonly rtmrs?: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  readonly mrconfigid?: Uint8Array;
  readonly mrowner?: Uint8Array;
  readonly mrownerconfig?: Uint8Array;
  readonly mrsignerseam?: Uint8Array;
  readonly mrservicetd?: Uint8Array;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  readonly debug?: boolean;
  /** 8 bytes; SEPT_VE_DISABLE alone without it. */
  readonly tdAttributes?: Uint8Array;
  readonly seamAttributes?: Uint8Array;
  /** 16 bytes: at launch, and now. */
  readonly teeTcbSvn: Uint8Array;
  readonly teeTcbSvn2?: Uint8Array;
}

function field(bytes: Uint8Array | undefined, length: number, name: string): Uint8Array {
  const value = bytes ?? new Uint8Array(length);
  if (value.length !== length)
    throw new RangeError(`${name}: ${length} bytes expected, ${value.length} found`);
  return value;
}

/** Writes a TD report body of 584, 648 or 885 bytes. */
export function encodeTdReport(fields: TdReportFields): Uint8Array {
  const kind = fields.kind ?? 'td-1.0';
  const attributes = Uint8Array.from(
    field(fields.tdAttributes ?? fromHex('0000001000000000'), 8, 'TDATTRIBUTES'),
  );
  if (fields.debug === true) attributes[0] = 1;
  const report = concatBytes(
    field(fields.teeTcbSvn, 16, 'TEE_TCB_SVN'),
    new Uint8Array(48).fill(0x5e),
    field(fields.mrsignerseam, 48, 'MRSIGNERSEAM'),
    field(fields.seamAttributes, 8, 'SEAMATTRIBUTES'),
    attributes,
    fromHex('e742060000000000'),
    field(fields.mrtd, 48, 'MRTD'),
    field(fields.mrconfigid, 48, 'MRCONFIGID'),
    field(fields.mrowner, 48, 'MROWNER'),
    field(fields.mrownerconfig, 48, 'MROWNERCONFIG'),
    ...[0, 1, 2, 3].map((index) => field(fields.rtmrs?.[index], 48, `RTMR${index}`)),
    field(fields.reportData, 64, 'REPORTDATA'),
    field(fields.teeTcbSvn2 ?? fields.teeTcbSvn, 16, 'TEE_TCB_SVN2'),
    field(fields.mrservicetd, 48, 'MRSERVICETD'),
    new Uint8Array(237),
  );
  return report.subarray(0, bodySizes[kind]);
}
