import { sign } from 'node:crypto';
import { concatBytes, toHex, utf8 } from '@ensconce/base/bytes';
import { signRaw, spkiOf, type SimulatedKey } from '../key.ts';
import { encodeTpmQuoteBody, hashIds, type TpmQuoteFields } from './body.ts';
import { u16be } from '../integers.ts';
import type { SimulatedTpm } from './authority.ts';

/** What is wrong with a quote; every field breaks one thing that a verifier must notice. */
export interface TpmFaults {
  /** The signature is by another key. */
  readonly wrongSignature?: boolean;
  /** Values of PCRs that were not quoted. */
  readonly otherPcrs?: readonly Uint8Array[];
  /** No certificate of the key comes along. */
  readonly withoutCertificates?: boolean;
  /** The certificates of this TPM instead of the right one. */
  readonly certificatesOf?: SimulatedTpm;
  /** Not what the firmware logged. */
  readonly otherLog?: Uint8Array;
}

export interface SignedQuote {
  /** TPMS_ATTEST. */
  readonly message: Uint8Array;
  /** As the key gives it: RSA, or r‖s. */
  readonly raw: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

const rsassa = 0x0014;
const ecdsa = 0x0018;

const isRsa = (key: SimulatedKey): boolean => key.privateKey.asymmetricKeyType === 'rsa';
const sized = (bytes: Uint8Array): Uint8Array => concatBytes(u16be(bytes.length), bytes);

/** A quote by a TPM's attestation key. */
export function signTpmQuote(key: SimulatedKey, fields: TpmQuoteFields, wrongSignature = false): SignedQuote {
  const message = encodeTpmQuoteBody(fields);
  const signed = wrongSignature ? message.toReversed() : message;
  if (isRsa(key)) {
    const raw = Uint8Array.from(sign('sha256', signed, key.privateKey));
    return { message, raw, signature: concatBytes(u16be(rsassa), u16be(hashIds.sha256), sized(raw)) };
  }
  const raw = signRaw(key, 'sha256', signed);
  const scalars = [raw.subarray(0, 32), raw.subarray(32)].map((scalar) => sized(scalar));
  return { message, raw, signature: concatBytes(u16be(ecdsa), u16be(hashIds.sha256), ...scalars) };
}

/** Evidence of a TPM in the JSON form that attestation services exchange. */
export function makeTpmEvidence(
  tpm: SimulatedTpm,
  fields: TpmQuoteFields & { readonly eventLog?: Uint8Array },
  faults: TpmFaults = {},
): Uint8Array {
  const { message, signature } = signTpmQuote(tpm.key, fields, faults.wrongSignature);
  const log = faults.otherLog ?? fields.eventLog;
  return utf8(
    JSON.stringify({
      ak_public: spkiOf(tpm.key).toBase64(),
      ...(faults.withoutCertificates === true
        ? {}
        : {
            ak_certificates: (faults.certificatesOf ?? tpm).certificates.map((der) => der.toBase64()),
          }),
      tpm_quote: {
        message: message.toBase64(),
        signature: signature.toBase64(),
        pcrs: (faults.otherPcrs ?? fields.pcrs).map((pcr) => toHex(pcr)),
      },
      ...(log === undefined ? {} : { event_log: log.toBase64() }),
    }),
  );
}
