import { createHash } from 'node:crypto';
import { concatBytes, fromHex } from '@ensconce/base/bytes';
import { u16be, u32be, u64be } from '../integers.ts';
import type { TpmHash } from '@ensconce/evidence/tpm/body';

/** TPM_ALG_ID (TCG Algorithm Registry). */
export const hashIds: Readonly<Record<TpmHash, number>> = {
  sha1: 0x0004,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
};

/** What a simulated TPM quotes. */
export interface TpmQuoteFields {
  /** At most 64 bytes. */
  readonly nonce: Uint8Array;
  /** Values of PCR 0 on, 24 of them. */
  readonly pcrs: readonly Uint8Array[];
  readonly bank?: TpmHash;
  /** Ascending; all without it. */
  readonly selection?: readonly number[];
  readonly resetCount?: number;
  /** The quote is of each of these banks, with the same selection. */
  readonly banks?: readonly TpmHash[];
}

const magic = fromHex('ff544347');
const attestQuote = 0x8018;

const sized = (bytes: Uint8Array): Uint8Array => concatBytes(u16be(bytes.length), bytes);

/** Which PCRs a quote is of. */
export function selectionOf(fields: TpmQuoteFields): readonly number[] {
  return fields.selection ?? fields.pcrs.map((_, index) => index);
}

function bitmap(indexes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(3);
  for (const index of indexes) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  return bytes;
}

/** Writes a TPMS_ATTEST of a quote (TPM 2.0 Library, Part 2, §10.12). */
export function encodeTpmQuoteBody(fields: TpmQuoteFields): Uint8Array {
  const indexes = selectionOf(fields);
  const banks = fields.banks ?? [fields.bank ?? 'sha256'];
  const digest = createHash('sha256');
  for (const index of indexes) digest.update(fields.pcrs[index] ?? new Uint8Array());
  return concatBytes(
    magic,
    u16be(attestQuote),
    sized(concatBytes(u16be(hashIds.sha256), new Uint8Array(32).fill(0x71))),
    sized(fields.nonce),
    u64be(123_456n),
    u32be(fields.resetCount ?? 1),
    u32be(0),
    Uint8Array.of(1),
    u64be(0x2016_0511_0016_2800n),
    u32be(banks.length),
    ...banks.flatMap((bank) => [u16be(hashIds[bank]), Uint8Array.of(3), bitmap(indexes)]),
    sized(Uint8Array.from(digest.digest())),
  );
}
