import * as v from 'valibot';
import { concatBytes, equalBytes, toHex, utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';
import type { CryptoProvider, VerificationKey } from '@ensconce/x509/crypto';
import { rawEcdsaSignature } from '@ensconce/x509/der';
import { X509Error } from '@ensconce/x509/errors';
import { AuditError } from './errors.ts';

const base64 = v.pipe(v.string(), v.maxLength(1024), v.base64());

/** CAS's word that a key signs its audit log: whoever knows CAS can check the log without it. */
export const endorsementSchema = v.strictObject({
  /** SubjectPublicKeyInfo (DER), P-256. */
  casKey: base64,
  /** SubjectPublicKeyInfo (DER), Ed25519. */
  auditKey: base64,
  /** ECDSA with SHA-256 by CAS's key over {@link endorsementMessage}, DER. */
  endorsement: base64,
});
export type Endorsement = v.InferOutput<typeof endorsementSchema>;

export const endorsementMessage = (auditKey: Uint8Array): Uint8Array =>
  encodeFields('ensconce-audit-key/1', [auditKey]);

/** The name under which a CAS signs notes about its log: C2SP's origin. */
export const originOf = (casIdentity: string): string => `ensconce-cas/${casIdentity}`;

/** RFC 8410: SubjectPublicKeyInfo of an Ed25519 key up to the key itself. */
const spkiHead = Uint8Array.fromHex('302a300506032b6570032100');
const keySize = 32;

const authority = Symbol('audit key');

/** The key that signs one CAS's audit log. Only {@link openEndorsement} makes one, after that CAS's own key vouched for it. */
export class AuditKey {
  readonly #key: VerificationKey;
  /** Hex SHA-256 of the key of CAS. */
  readonly casIdentity: string;
  /** 32 bytes. */
  readonly raw: Uint8Array;

  constructor(
    authorized: symbol,
    parts: { readonly key: VerificationKey; readonly casIdentity: string; readonly raw: Uint8Array },
  ) {
    if (authorized !== authority) throw new TypeError('only an endorsement makes audit keys');
    this.#key = parts.key;
    this.casIdentity = parts.casIdentity;
    this.raw = parts.raw;
  }

  get origin(): string {
    return originOf(this.casIdentity);
  }

  async verify(signature: Uint8Array, data: Uint8Array): Promise<boolean> {
    return this.#key.verify(signature, data);
  }
}

/**
 * The audit key, where the CAS with that identity (hex SHA-256 of its key) endorses it. All members are untrusted. Throws
 * `AUDIT_OTHER_CAS` or `AUDIT_SIGNATURE`.
 */
export async function openEndorsement(
  crypto: CryptoProvider,
  endorsement: Endorsement,
  casIdentity: string,
): Promise<AuditKey> {
  const casKey = Uint8Array.fromBase64(endorsement.casKey);
  const auditKey = Uint8Array.fromBase64(endorsement.auditKey);
  const found = toHex(await crypto.sha256(casKey));
  if (found !== casIdentity) {
    throw new AuditError(
      'AUDIT_OTHER_CAS',
      `audit log: that of CAS ${casIdentity} expected, of ${found} found`,
    );
  }
  const raw = auditKey.subarray(spkiHead.length);
  try {
    const signature = rawEcdsaSignature(Uint8Array.fromBase64(endorsement.endorsement), 32);
    const cas = await crypto.publicKey(casKey, 'ecdsa-p256-sha256');
    const vouched = await cas.verify(signature, endorsementMessage(auditKey));
    if (!vouched || raw.length !== keySize || !equalBytes(auditKey, concatBytes(spkiHead, raw)))
      throw notEndorsed(undefined);
    return new AuditKey(authority, { key: await crypto.publicKey(auditKey, 'ed25519'), casIdentity, raw });
  } catch (cause) {
    if (cause instanceof X509Error) throw notEndorsed(cause);
    throw cause;
  }
}

function notEndorsed(cause: unknown): AuditError {
  return new AuditError(
    'AUDIT_SIGNATURE',
    'audit key: one that CAS vouches for expected, another one found',
    {
      cause,
    },
  );
}

/** The 4 bytes by which a note says which key signed it (C2SP signed-note, Ed25519). */
export async function noteKeyId(crypto: CryptoProvider, name: string, raw: Uint8Array): Promise<Uint8Array> {
  const id = await crypto.sha256(concatBytes(utf8(`${name}\n`), Uint8Array.of(1), raw));
  return id.subarray(0, 4);
}

/** The key as tools that read signed notes take it (C2SP signed-note, verifier key). */
export async function verifierKey(crypto: CryptoProvider, key: AuditKey): Promise<string> {
  const id = toHex(await noteKeyId(crypto, key.origin, key.raw));
  return `${key.origin}+${id}+${concatBytes(Uint8Array.of(1), key.raw).toBase64()}`;
}
