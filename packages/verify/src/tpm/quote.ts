import { concatBytes, equalBytes, toHex } from '@ensconce/base/bytes';
import type { TpmHash, TpmQuoteBody } from '@ensconce/evidence/tpm/body';
import type { VerificationKey } from '@ensconce/x509/crypto';
import { registerSizes } from '../replay.ts';
import type { CheckList } from '../check.ts';
import type { TpmQuoteClaims } from './claims.ts';
import type { VerifyOptions } from '../options.ts';

/** A quote as it arrives: attacker-controlled. PCR values are listed by their index. */
export interface TpmQuoteInput {
  readonly body: TpmQuoteBody;
  /** In the form that the key takes: RSA, or r‖s. */
  readonly signature: Uint8Array;
  /** Of the signature's scheme: the digest of the PCRs is made with it. */
  readonly hash: TpmHash;
  readonly pcrs: readonly Uint8Array[];
}

/** Checks signature and PCR values of a TPM quote by a key that is trusted already; undefined where a check fails. */
export async function checkTpmQuote(
  checks: CheckList,
  input: TpmQuoteInput,
  key: VerificationKey,
  options: VerifyOptions,
): Promise<TpmQuoteClaims | undefined> {
  const { body } = input;
  const signed = await key.verify(input.signature, body.bytes);
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
  // The digest is over all values in one: of other sizes, the value of one register would pass for that of another.
  const size = registerSizes[selection.hash];
  const sized = values.every((value) => value?.length === size);
  checks.that('PCR values are as long as those of their bank', sized, {
    expected: `${size} bytes for each of the ${values.length}`,
    found: sized ? 'just that' : values.map((value) => value?.length ?? 'none').join(', '),
  });
  const digest = await options.crypto[input.hash](
    concatBytes(...values.map((value) => value ?? new Uint8Array())),
  );
  const ok = equalBytes(digest, body.pcrDigest);
  checks.that('PCR values are those of the TPM quote', ok, {
    expected: toHex(body.pcrDigest),
    found: toHex(digest),
  });
  if (!signed || !sized || !ok) return undefined;
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
