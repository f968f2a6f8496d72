import { concatBytes, equalBytes, toHex } from '@ensconce/base/bytes';
import { EvidenceError } from '@ensconce/evidence/errors';
import { parseTpmQuoteBody, type TpmQuoteBody } from '@ensconce/evidence/tpm/body';
import type { VerificationKey } from '@ensconce/x509/crypto';
import type { CheckList } from '../check.ts';
import type { VerifyOptions } from '../options.ts';

/** What a TPM quote says, once its signature and PCR values hold. */
export interface TpmClaims {
  /** The nonce that was asked for. */
  readonly nonce: string;
  readonly bank: string;
  readonly pcrs: Readonly<Record<string, string>>;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly firmwareVersion: string;
}

/** A quote as it arrives: attacker-controlled. PCR values are listed by their index. */
export interface TpmQuoteInput {
  /** TPMS_ATTEST. */
  readonly message: Uint8Array;
  /** In the form that the key takes: RSA, or r‖s. */
  readonly signature: Uint8Array;
  readonly pcrs: readonly Uint8Array[];
}

function readBody(checks: CheckList, message: Uint8Array): TpmQuoteBody | undefined {
  try {
    return parseTpmQuoteBody(message);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    checks.that('TPM quote is readable', false, {
      expected: 'a TPMS_ATTEST of a quote',
      found: error.message,
    });
    return undefined;
  }
}

/** Checks signature and PCR values of a TPM quote by a key that is trusted already; undefined where a check fails. */
export async function checkTpmQuote(
  checks: CheckList,
  input: TpmQuoteInput,
  key: VerificationKey,
  options: VerifyOptions,
): Promise<TpmClaims | undefined> {
  const body = readBody(checks, input.message);
  if (body === undefined) return undefined;
  const signed = await key.verify(input.signature, input.message);
  checks.that('TPM quote is signed by the attestation key', signed, {
    expected: 'a valid signature',
    found: signed ? 'a valid signature' : 'a wrong signature',
  });
  const [selection] = body.selections;
  if (selection === undefined || body.selections.length !== 1) {
    checks.that('TPM quote is of one bank of PCRs', false, {
      expected: '1',
      found: `${body.selections.length}`,
    });
    return undefined;
  }
  const values = selection.indexes.map((index) => input.pcrs[index]);
  const digest = await options.crypto.sha256(
    concatBytes(...values.map((value) => value ?? new Uint8Array())),
  );
  const ok = values.every((value) => value !== undefined) && equalBytes(digest, body.pcrDigest);
  checks.that('PCR values are those of the TPM quote', ok, {
    expected: toHex(body.pcrDigest),
    found: toHex(digest),
  });
  if (!signed || !ok) return undefined;
  return {
    nonce: toHex(body.extraData),
    bank: selection.hash,
    pcrs: Object.fromEntries(
      selection.indexes.map((index, i) => [String(index), toHex(values[i] as Uint8Array)]),
    ),
    resetCount: body.resetCount,
    restartCount: body.restartCount,
    firmwareVersion: body.firmwareVersion.toString(16).padStart(16, '0'),
  };
}
