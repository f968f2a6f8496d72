import { createHash } from 'node:crypto';
import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { hashIds } from './body.ts';
import { u16, u32 } from '../integers.ts';
import type { TpmHash } from '@ensconce/evidence/tpm/body';

/** Something that firmware measures: its digest extends a register. */
export interface Measured {
  /** PCR of a TPM; in the log of a TD: 0 is MRTD, 1 to 4 are RTMR 0 to 3. */
  readonly index: number;
  readonly type: number;
  readonly data: Uint8Array;
}

const noAction = 3;
const sizes: Readonly<Record<TpmHash, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

const digestOf = (hash: TpmHash, ...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(
    createHash(hash)
      .update(concatBytes(...parts))
      .digest(),
  );

function event(measured: Measured, hashes: readonly TpmHash[]): Uint8Array {
  const digests = hashes.map((hash) =>
    concatBytes(
      u16(hashIds[hash]),
      measured.type === noAction ? new Uint8Array(sizes[hash]) : digestOf(hash, measured.data),
    ),
  );
  return concatBytes(
    u32(measured.index),
    u32(measured.type),
    u32(digests.length),
    ...digests,
    u32(measured.data.length),
    measured.data,
  );
}

/** A crypto-agile log (TCG PC Client Platform Firmware Profile §10.2), padded as firmware leaves it in memory. */
export function encodeEventLog(
  events: readonly Measured[],
  hashes: readonly TpmHash[],
  padding = 0,
): Uint8Array {
  const specification = concatBytes(
    utf8('Spec ID Event03\0'),
    u32(0),
    Uint8Array.of(0, 2, 0, 2),
    u32(hashes.length),
    ...hashes.map((hash) => concatBytes(u16(hashIds[hash]), u16(sizes[hash]))),
    Uint8Array.of(0),
  );
  return concatBytes(
    u32(0),
    u32(noAction),
    new Uint8Array(20),
    u32(specification.length),
    specification,
    ...events.map((one) => event(one, hashes)),
    new Uint8Array(padding).fill(0xff),
  );
}

/** The event by which firmware says from which locality it started the TPM: PCR 0 begins with it. */
export function startupLocality(locality: number): Measured {
  return { index: 0, type: noAction, data: concatBytes(utf8('StartupLocality\0'), Uint8Array.of(locality)) };
}

/** The registers after `events`, as the hardware would hold them. */
export function extendRegisters(
  events: readonly Measured[],
  hash: TpmHash,
  count: number,
  locality = 0,
): Uint8Array[] {
  const registers = Array.from({ length: count }, () => new Uint8Array(sizes[hash]));
  registers[0]?.set([locality], sizes[hash] - 1);
  for (const { index, type, data } of events) {
    const before = registers[index];
    if (before === undefined || type === noAction) continue;
    registers[index] = Uint8Array.from(digestOf(hash, before, digestOf(hash, data)));
  }
  return registers;
}
