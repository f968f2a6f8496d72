import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';
import { hashOf, parseTpmQuoteBody, type TpmHash, type TpmQuoteBody } from './body.ts';

/** A TPM 2.0 quote with its signature. */
export interface TpmQuote {
  readonly tee: 'tpm';
  readonly body: TpmQuoteBody;
  readonly scheme: 'rsassa' | 'ecdsa';
  readonly hash: TpmHash;
  /** RSA: the signature; ECDSA on P-256: r‖s. */
  readonly signature: Uint8Array;
}

const rsassa = 0x0014;
const ecdsa = 0x0018;

function ecdsaSignature(reader: ByteReader): Uint8Array {
  const signature = new Uint8Array(64);
  for (const [name, end] of [
    ['r', 32],
    ['s', 64],
  ] as const) {
    const scalar = reader.bytes(reader.u16be(`${name} size`), name);
    if (scalar.length > 32)
      throw new EvidenceError(
        'EVIDENCE_UNSUPPORTED',
        `TPM quote: a P-256 signature expected, ${scalar.length} bytes found`,
      );
    signature.set(scalar, end - scalar.length);
  }
  return signature;
}

/** Parses attacker-controlled TPMS_ATTEST and TPMT_SIGNATURE bytes; throws `EvidenceError`. */
export function parseTpmQuote(message: Uint8Array, signatureBytes: Uint8Array): TpmQuote {
  return reading(() => {
    const reader = new ByteReader(signatureBytes, 'TPM signature');
    const algorithm = reader.u16be('algorithm');
    if (algorithm !== rsassa && algorithm !== ecdsa) {
      throw new EvidenceError(
        'EVIDENCE_UNSUPPORTED',
        `TPM signature: RSASSA (0014) or ECDSA (0018) expected, ${algorithm.toString(16)} found`,
      );
    }
    const { name } = hashOf(reader.u16be('hash algorithm'), 'TPM signature');
    const signature =
      algorithm === rsassa ? reader.bytes(reader.u16be('size'), 'RSA signature') : ecdsaSignature(reader);
    reader.end();
    return {
      tee: 'tpm',
      body: parseTpmQuoteBody(message),
      scheme: algorithm === rsassa ? 'rsassa' : 'ecdsa',
      hash: name,
      signature,
    };
  });
}
