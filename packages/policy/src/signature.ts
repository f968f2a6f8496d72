import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { encodeFields } from '@ensconce/base/fields';
import { fromHex, toHex, utf8 } from '@ensconce/base/bytes';
import { PolicyError } from './errors.ts';
import { canonicalPem, keyHash, readPublicKey } from './key-hash.ts';
import type { Session } from './session.ts';
import { sessionHash } from './session-hash.ts';

/** One signature over one change of a session, for one CAS, until one moment (docs/formats/session-signature.md). */
export interface SessionSignature {
  /** PEM SubjectPublicKeyInfo, Ed25519 or P-384. */
  readonly signer: string;
  /** Key hash of the CAS that it is meant for. */
  readonly cas: string;
  /** Whole seconds, ISO 8601 in UTC. */
  readonly expires: string;
  /** Base64: 64 bytes for Ed25519, DER for P-384 with SHA-384. */
  readonly signature: string;
}

export interface SignatureScope {
  readonly cas: string;
  readonly expires: Date;
}

/** A version of a session, which is to be the present one. */
export interface SessionVersion {
  readonly name: string;
  /** Session hash, hex. */
  readonly hash: string;
  /** Hex; absent where the session is created. */
  readonly predecessor?: string | undefined;
}

/** The end of a session as it stands now. */
export interface SessionDeletion {
  readonly name: string;
  /** Immutable id of the session, 32 hex digits. */
  readonly id: string;
  /** Session hash of the version that is present, hex. */
  readonly deletes: string;
}

/** What a signature or veto is about. */
export type SessionChange = SessionVersion | SessionDeletion;

/** What a change is known by while it waits: the hash of the version, or one of the deletion that no version has. */
export function hashOfChange(of: SessionChange): string {
  if (!('deletes' in of)) return of.hash;
  const fields = encodeFields('ensconce session deletion 1', [
    utf8(of.name),
    fromHex(of.id, 16),
    fromHex(of.deletes, 32),
  ]);
  return toHex(createHash('sha256').update(fields).digest());
}

/** @param session with its creator, which the hash covers. */
export function versionOf(session: Session): SessionVersion {
  return { name: session.name, hash: sessionHash(session), predecessor: session.predecessor };
}

/** The bytes that are signed; an external signer (a hardware token) gets exactly these. */
export function signatureMessage(of: SessionChange, scope: SignatureScope): Uint8Array {
  if ('deletes' in of) {
    return encodeFields('ensconce session deletion signature 1', [
      utf8(of.name),
      fromHex(of.id, 16),
      fromHex(of.deletes, 32),
      utf8(scope.cas),
      utf8(expiry(scope.expires)),
    ]);
  }
  return encodeFields('ensconce session signature 1', [
    utf8(of.name),
    fromHex(of.hash, 32),
    of.predecessor === undefined ? new Uint8Array() : fromHex(of.predecessor, 32),
    utf8(scope.cas),
    utf8(expiry(scope.expires)),
  ]);
}

/** What a veto signs: that its signer wants this change of this session never to count at this CAS. */
export function vetoMessage(of: SessionChange, scope: SignatureScope): Uint8Array {
  return encodeFields('ensconce session veto 1', [
    utf8(of.name),
    fromHex(hashOfChange(of), 32),
    utf8(scope.cas),
    utf8(expiry(scope.expires)),
  ]);
}

/** Puts a signature that was made elsewhere beside what it covers, once it verifies. Throws `POLICY_SIGNATURE`. */
export function addSignature(
  of: SessionChange,
  scope: SignatureScope,
  signer: string,
  signature: Uint8Array,
): SessionSignature {
  return addTo(signatureMessage(of, scope), scope, signer, signature);
}

/** The same for a veto. */
export function addVeto(
  of: SessionChange,
  scope: SignatureScope,
  signer: string,
  signature: Uint8Array,
): SessionSignature {
  return addTo(vetoMessage(of, scope), scope, signer, signature);
}

function addTo(
  message: Uint8Array,
  scope: SignatureScope,
  signer: string,
  signature: Uint8Array,
): SessionSignature {
  const key = signerKey(signer);
  if (!isSignature(key, message, signature)) {
    throw new PolicyError(
      'POLICY_SIGNATURE',
      'a signature by this key over this session expected, another found',
    );
  }
  return {
    signer: canonicalPem('PUBLIC KEY', key.export({ type: 'spki', format: 'der' })),
    cas: scope.cas,
    expires: expiry(scope.expires),
    signature: signature.toBase64(),
  };
}

/** Signs bytes with a key at hand, as {@link addSignature} and {@link addVeto} take it. */
export function signMessage(message: Uint8Array, privateKey: KeyObject): Uint8Array {
  return sign(digestOf(createPublicKey(privateKey)), message, privateKey);
}

/** Signs a change of a session with a key at hand. */
export function signChange(
  of: SessionChange,
  scope: SignatureScope,
  privateKey: KeyObject,
): SessionSignature {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  signerKey(publicKey);
  return addSignature(of, scope, publicKey, signMessage(signatureMessage(of, scope), privateKey));
}

/**
 * The key hashes of those who signed, each once: what {@link mayAccess} takes as signers. Every signature must hold;
 * one that does not, is meant for another CAS or is past its date refuses them all. Throws `POLICY_SIGNATURE`.
 *
 * @param cas key hash of the CAS that verifies.
 */
export function verifySignatures(
  of: SessionChange,
  signatures: readonly SessionSignature[],
  cas: string,
  now: Date,
): readonly string[] {
  const signers = signatures.map((entry, index) =>
    verifyEntry((scope) => signatureMessage(of, scope), entry, {
      what: `signature ${index + 1} of ${signatures.length}`,
      cas,
      now,
    }),
  );
  return [...new Set(signers)];
}

/** The key hash of who vetoes. Throws `POLICY_SIGNATURE`. */
export function verifyVeto(of: SessionChange, veto: SessionSignature, cas: string, now: Date): string {
  return verifyEntry((scope) => vetoMessage(of, scope), veto, { what: 'veto', cas, now });
}

function verifyEntry(
  messageFor: (scope: SignatureScope) => Uint8Array,
  entry: SessionSignature,
  { what, cas, now }: { readonly what: string; readonly cas: string; readonly now: Date },
): string {
  const expires = new Date(entry.expires);
  if (Number.isNaN(expires.getTime()) || expiry(expires) !== entry.expires) {
    throw new PolicyError(
      'POLICY_SIGNATURE',
      `${what}: expiry as YYYY-MM-DDThh:mm:ssZ expected, something else found`,
    );
  }
  if (entry.cas !== cas) {
    throw new PolicyError(
      'POLICY_SIGNATURE',
      `${what}: one for CAS ${cas} expected, one for another CAS found`,
    );
  }
  if (expires.getTime() <= now.getTime()) {
    throw new PolicyError(
      'POLICY_SIGNATURE',
      `${what}: one that is still valid expected, one that ended ${entry.expires} found`,
    );
  }
  const key = signerKey(entry.signer);
  const bytes = /^[A-Za-z0-9+/]{1,1024}={0,2}$/.test(entry.signature)
    ? Buffer.from(entry.signature, 'base64')
    : new Uint8Array();
  if (!isSignature(key, messageFor({ cas, expires }), bytes)) {
    throw new PolicyError(
      'POLICY_SIGNATURE',
      `${what}: a signature by its signer over this session expected, another found`,
      {
        hint: 'a session that changed in any way after signing must be signed again',
      },
    );
  }
  return keyHash(key.export({ type: 'spki', format: 'der' }));
}

function signerKey(pem: string): KeyObject {
  const key = readPublicKey(pem);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'ed25519' || (key.asymmetricKeyType === 'ec' && curve === 'secp384r1'))
    return key;
  throw new PolicyError(
    'POLICY_SIGNATURE',
    `an Ed25519 or P-384 key as signer expected, ${curve ?? key.asymmetricKeyType ?? ''} found`,
  );
}

function digestOf(key: KeyObject): string | undefined {
  return key.asymmetricKeyType === 'ed25519' ? undefined : 'sha384';
}

function isSignature(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(digestOf(key), message, key, signature);
}

function expiry(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
